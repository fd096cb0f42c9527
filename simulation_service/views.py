"""What pages show of stored and recomputed runs: heatmap, curve, candles with trades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from shared.contracts.candles import Candles, condense
from shared.web import charts
from simulation_service.domain.records import Run
from simulation_service.use_cases import RunDetail

#: points a chart is sent: more than a screen is wide, and few enough to draw at once
CURVE_POINTS = 2_000
#: trades marked on a span of candles: more would hide them
MARKED_TRADES = 60


@dataclass(frozen=True)
class Heatmap:
    """Best Sharpe of a sweep by holding time (rows) and threshold (columns)."""

    rows: list[str]
    columns: list[str]
    cells: list[list[charts.Cell]]
    titles: list[list[str]]


def heatmap(runs: Sequence[Run]) -> Heatmap:
    """Return the sweep's heatmap; where settings share threshold and holding time, the best of them."""
    thresholds = sorted({run.setting.threshold for run in runs})
    holds = sorted({run.setting.hold_bars for run in runs})
    best: dict[tuple[int, float], Run] = {}
    for run in runs:
        cell = run.setting.hold_bars, run.setting.threshold
        known = best.get(cell)
        if known is None or _sharpe(run) > _sharpe(known):
            best[cell] = run
    grid = [[best.get((hold, threshold)) for threshold in thresholds] for hold in holds]
    return Heatmap(
        rows=[hold_text(hold) for hold in holds],
        columns=[f"{threshold:g}" for threshold in thresholds],
        cells=charts.heatmap([[run.metrics.sharpe if run else None for run in row] for row in grid]),
        titles=[[f"{run.metrics.trades} trades" if run else "not simulated" for run in row] for row in grid],
    )


def _sharpe(run: Run) -> float:
    return float("-inf") if run.metrics.sharpe is None else run.metrics.sharpe


def runs_frame(runs: Sequence[Run]) -> pl.DataFrame:
    """Return runs as a table, each parameter and figure in a column of its own; lists as text."""
    rows = [
        {
            **run.model_dump(exclude={"setting", "metrics"}),
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


def candles(detail: RunDetail, start: datetime | None, end: datetime | None) -> dict[str, Any]:
    """Return the bars of [start, end) that the run was filled on, as columns, at most 2,000, and marks of its trades.

    Of many trades those that won or lost most are marked: their entry by the side, their exit; on the candle that
    holds the fill. A span without bars gives empty columns.
    """
    market = detail.market
    first, last = np.searchsorted(market.ts_us, [_us(start, 0), _us(end, int(market.ts_us[-1]) + 1)])
    span = slice(int(first), int(last))
    bars = Candles(
        ts_us=market.ts_us[span],
        open=market.open[span],
        high=market.high[span],
        low=market.low[span],
        close=market.close[span],
        volume=np.full(span.stop - span.start, np.nan),
    )
    shown = condense(bars, CURVE_POINTS)
    return {
        "time": (shown.ts_us // 1_000_000).tolist(),
        **{name: getattr(shown, name).tolist() for name in ("open", "high", "low", "close")},
        "markers": _marks(detail.trades, bars, shown),
    }


def _marks(trades: pl.DataFrame, bars: Candles, shown: Candles) -> list[dict[str, Any]]:
    """Return the strongest trades whose entry and exit are among `bars`, by time."""
    if not len(bars):
        return []
    within = (
        pl.col("entry_ts").to_physical() >= int(bars.ts_us[0]),
        pl.col("exit_ts").to_physical() <= int(bars.ts_us[-1]),
    )
    strongest = trades.filter(*within).sort(pl.col("pnl").abs(), descending=True).head(MARKED_TRADES)
    marks = [
        {
            "time": int(shown.ts_us[np.searchsorted(shown.ts_us, stamp, "right") - 1]) // 1_000_000,
            "side": side,
            "text": "",
        }
        for column, sides in (("entry_ts", strongest["side"]), ("exit_ts", ["exit"] * strongest.height))
        for stamp, side in zip(strongest[column].to_physical(), sides, strict=True)
    ]
    return sorted(marks, key=lambda mark: mark["time"])


def _us(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else round(moment.timestamp() * 1_000_000)
