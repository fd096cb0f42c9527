"""A run's curves and its candles with trades, as columns for the browser."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from shared.contracts.candles import Candles, condense
from simulation_service.use_cases import RunDetail

#: points a chart is sent: more than a screen is wide, and few enough to draw at once
CURVE_POINTS = 2_000
#: trades marked on a span of candles: more would hide them
MARKED_TRADES = 60


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
        "timeframe": bars.length,
        "candle": shown.length,
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
