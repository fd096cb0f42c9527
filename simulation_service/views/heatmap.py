"""A sweep as a heatmap of any two of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts.backtests import Metrics, Setting
from shared.errors import InvalidInput
from shared.web import charts
from simulation_service.domain.records import Run

Value = str | float | bool | None


@dataclass(frozen=True)
class Heatmap:
    """The best `figure` of a sweep by two parameters; `parameters` are those that vary."""

    x: str
    y: str
    figure: str
    parameters: list[str]
    rows: list[str]
    columns: list[str]
    cells: list[list[charts.Cell]]
    titles: list[list[str]]


def heatmap(runs: Sequence[Run], *, x: str = "", y: str = "", figure: str = "sharpe") -> Heatmap:
    """Return the sweep's heatmap; where settings share both parameters, the best of them.

    x, y : parameters of a setting; "" takes those that take most values. Raises InvalidInput for a name that is none.
    """
    for name, known in ((x, Setting.model_fields), (y, Setting.model_fields), (figure, Metrics.model_fields)):
        if name and name not in known:
            raise InvalidInput(f"{name!r} is neither a parameter nor a figure: use one of {', '.join(known)}")
    settings = [run.setting.model_dump(mode="json") for run in runs]
    values = {name: len({str(one[name]) for one in settings}) for name in Setting.model_fields}
    varying = [name for name in values if values[name] > 1]
    # the parameters that take most values span most; those of one number of values in the contract's order
    free = sorted((name for name in varying if name not in {x, y}), key=lambda name: -values[name])
    x = x or (free.pop(0) if free else "threshold")
    y = y or next((name for name in free if name != x), "hold_bars")
    best: dict[tuple[str, str], Run] = {}
    for run, setting in zip(runs, settings, strict=True):
        cell = _text(setting[y]), _text(setting[x])
        if cell not in best or _worth(run, figure) > _worth(best[cell], figure):
            best[cell] = run
    rows, columns = (_in_order(settings, name) for name in (y, x))
    grid = [[best.get((row, column)) for column in columns] for row in rows]
    return Heatmap(
        x=x,
        y=y,
        figure=figure,
        parameters=varying or [x, y],
        rows=rows,
        columns=columns,
        cells=charts.heatmap([[getattr(run.metrics, figure) if run else None for run in row] for row in grid]),
        titles=[[f"{run.metrics.trades} trades" if run else "not simulated" for run in row] for row in grid],
    )


def _worth(run: Run, figure: str) -> float:
    value = getattr(run.metrics, figure)
    return float("-inf") if value is None else float(value)


def _in_order(settings: Sequence[dict[str, Any]], name: str) -> list[str]:
    """Return the values of a parameter as texts, numbers by size."""
    values = {_text(one[name]): one[name] for one in settings}

    def place(text: str) -> tuple[bool, float, str]:
        value = values[text]
        return (False, float(value), text) if isinstance(value, int | float) else (True, 0.0, text)

    return sorted(values, key=place)


def _text(value: Any) -> str:  # noqa: ANN401 - a parameter of any type
    if value is None:
        return "none"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else str(value).replace("_", " ")
