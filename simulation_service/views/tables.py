"""Tables of runs and of one run's months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from shared.web import charts
from simulation_service.domain.records import Run

#: of the bars
_LEAST_SHARE = 0.001
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def runs_frame(runs: Sequence[Run]) -> pl.DataFrame:
    """Return runs as a table, each parameter and figure in a column of its own; lists as text."""
    rows = [
        {
            **run.model_dump(exclude={"setting", "metrics", "costs"}),
            **run.costs.model_dump(),
            **run.setting.model_dump(mode="json"),
            **run.metrics.model_dump(mode="json"),
        }
        for run in runs
    ]
    flat = [{name: _cell(value) for name, value in row.items()} for row in rows]
    return pl.DataFrame(flat, infer_schema_length=None)


def _cell(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def hold_text(hold_bars: int) -> str:
    """Return a holding time as people read it."""
    return f"{hold_bars} bars" if hold_bars else "while the signal lasts"


@dataclass(frozen=True)
class MonthGrid:
    """Returns in percent by year (rows) and month (columns), the whole year last."""

    years: list[str]
    columns: list[str]
    cells: list[list[charts.Cell]]


def month_grid(months: pl.DataFrame) -> MonthGrid:
    """Return the table by month as a grid; a month that is not in the window is empty."""
    years = months["month"].dt.year().unique().sort().to_list()
    found = {(row["month"].year, row["month"].month): row["return"] for row in months.to_dicts()}
    values: list[list[float | None]] = []
    for year in years:
        row = [found.get((year, month)) for month in range(1, 13)]
        whole = 1.0
        for value in row:
            whole *= 1.0 + (value or 0.0)
        values.append([*(None if value is None else 100 * value for value in row), 100 * (whole - 1.0)])
    # a year moves more than a month: each on its own scale
    monthly, yearly = charts.heatmap([row[:-1] for row in values]), charts.heatmap([row[-1:] for row in values])
    cells = [[*one, *other] for one, other in zip(monthly, yearly, strict=True)]
    plain = [[charts.Cell(cell.value, cell.tone, False) for cell in row] for row in cells]  # noqa: FBT003
    return MonthGrid([str(year) for year in years], [*MONTHS, "year"], plain)


def regime_rows(regimes: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows by regime worth showing: without a state of next to no bars, as before the first known one."""
    return [row for row in regimes.to_dicts() if row["share"] >= _LEAST_SHARE or row["trades"]]
