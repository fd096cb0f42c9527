"""What pages show of stored and recomputed runs: heatmap, curve, a page of trades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from shared.web import charts
from simulation_service.domain.records import Run
from simulation_service.use_cases import RunDetail

#: points a chart is sent: more than a screen is wide, and few enough to draw at once
CURVE_POINTS = 2_000


@dataclass(frozen=True)
class Heatmap:
    """Best Sharpe of a sweep by holding time (rows) and threshold (columns)."""

    rows: list[str]
    columns: list[str]
    cells: list[list[charts.Cell]]
    titles: list[list[str]]


def heatmap(runs: Sequence[Run]) -> Heatmap:
    """Return the sweep's heatmap; where settings share threshold and holding time, the best of them."""
    thresholds = sorted({run.threshold for run in runs})
    holds = sorted({run.hold_bars for run in runs})
    best: dict[tuple[int, float], Run] = {}
    for run in runs:
        known = best.get((run.hold_bars, run.threshold))
        if known is None or (run.sharpe or float("-inf")) > (known.sharpe or float("-inf")):
            best[run.hold_bars, run.threshold] = run
    grid = [[best.get((hold, threshold)) for threshold in thresholds] for hold in holds]
    return Heatmap(
        rows=[hold_text(hold) for hold in holds],
        columns=[f"{threshold:g}" for threshold in thresholds],
        cells=charts.heatmap([[run.sharpe if run else None for run in row] for row in grid]),
        titles=[[f"{run.trades} trades" if run else "not simulated" for run in row] for row in grid],
    )


def hold_text(hold_bars: int) -> str:
    """Return a holding time as people read it."""
    return f"{hold_bars} bars" if hold_bars else "while the signal lasts"


def curve(detail: RunDetail) -> dict[str, list[float | None]]:
    """Return the account as columns for the chart, thinned: each point is the end of its span of bars.

    Of `drawdown` each point is the deepest of its span, so that thinning hides no loss.
    """
    frame = detail.equity.with_row_index("row")
    width = max(-(-frame.height // CURVE_POINTS), 1)
    thin = frame.group_by(pl.col("row") // width, maintain_order=True).agg(
        pl.col("ts").last().dt.epoch("s").alias("time"),
        pl.col("equity").last(),
        pl.col("buy_hold").last(),
        pl.col("hit_rate_100").last(),
        pl.col("drawdown").min(),
    )
    return thin.drop("row").to_dict(as_series=False)
