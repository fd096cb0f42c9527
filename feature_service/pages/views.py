"""What pages draw: figures brought into the shape that the macros take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from fastapi import Request, Response

from feature_service.domain.records import Coverage
from feature_service.use_cases import Features
from feature_service.use_cases.statistics import Described
from shared.contracts.identifiers import check_symbol
from shared.web.charts import Cell, Line, Plot, heatmap, plot
from shared.web.pages import render

#: a heatmap's width at which its cells can still be told apart
_WIDEST = 40


@dataclass(frozen=True)
class Heat:
    """Correlations of some columns: one of each cluster, or the members of one."""

    #: rows are numbered names, columns the same numbers: names do not fit above cells
    labels: list[str]
    numbers: list[str]
    cells: list[list[Cell]]
    titles: list[list[str]]
    #: by cluster number, how many columns it has and the one that stands for it
    clusters: dict[int, tuple[int, str]]


def shown_set(features: Features, symbol: str, name: str, columns: Sequence[str] = ()) -> Coverage | None:
    """Return what is built of the set named, else of the first that is built with `columns`; None when nothing is.

    Raises NotFound for a set that is unknown.
    """
    built = features.built(symbol)
    if not built and not name:
        return None
    chosen = features.chosen(symbol, name, columns)
    if not set(columns) <= set(features.columns(chosen, symbol)):
        return None
    return next((one for one in built if one.feature_set == chosen), None)


def unbuilt(request: Request, features: Features, symbol: str, what: str, name: str) -> Response:
    """Answer that `what` is not built for a symbol: what is, and a button that builds the set called `name`."""
    bars = features.has_bars(symbol)
    return render(
        request,
        "unbuilt.html",
        status=200 if bars else 404,
        symbol=check_symbol(symbol),
        what=what,
        wanted=name,
        sets=features.sets(),
        built=features.built(symbol),
        bars=bars,
    )


def heat(described: Described, cluster: int) -> Heat:
    """Return the correlations inside `cluster`, or between all clusters when it is -1; at most 40 columns."""
    groups: dict[int, list[int]] = {}
    for index, one in enumerate(described.columns):
        groups.setdefault(one.cluster, []).append(index)
    near = np.nan_to_num(np.abs(described.correlation))
    stands = {number: max(rows, key=lambda row: (near[row, rows].sum(), -row)) for number, rows in groups.items()}
    rows = groups.get(cluster) or [stands[number] for number in sorted(stands)]
    rows = rows[:_WIDEST]
    names = [described.columns[row].name for row in rows]
    # between clusters by their own numbers, as the table of columns has them
    numbers = list(range(1, len(rows) + 1)) if cluster in groups else [described.columns[row].cluster for row in rows]
    values = described.correlation[np.ix_(rows, rows)]
    shown = [[None if np.isnan(one) else float(one) for one in row] for row in values]
    titles = [
        [f"{a} and {b}: {'unknown' if value is None else f'{value:+.2f}'}" for b, value in zip(names, row, strict=True)]
        for a, row in zip(names, shown, strict=True)
    ]
    return Heat(
        labels=[f"{number} {name}" for number, name in zip(numbers, names, strict=True)],
        numbers=[str(number) for number in numbers],
        cells=heatmap(shown),
        titles=titles,
        clusters={number: (len(groups[number]), described.columns[stands[number]].name) for number in sorted(groups)},
    )


def shape_plot(shapes: Mapping[str, Sequence[float]], name: str) -> Plot:
    """Return the column's distribution in the oldest 70 % of rows and in the newest 30 %."""
    xs = list(shapes["middles"])
    early = Line(xs=xs, ys=[100 * one for one in shapes["early"]], label="oldest 70 %", tone="bench", steps=True)
    late = Line(xs=xs, ys=[100 * one for one in shapes["late"]], label="newest 30 %", tone="s1", steps=True)
    return plot([early, late], x_label=name, y_label="% of rows")
