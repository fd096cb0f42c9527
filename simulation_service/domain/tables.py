"""A run's detail as tables."""

from __future__ import annotations

import numpy as np
import polars as pl

from simulation_service.domain import columns as c
from simulation_service.domain.engine import Detail
from simulation_service.domain.market import Market

_HIT_PERIODS = 100
_REASONS = {
    c.BY_SIGNAL: "signal",
    c.BY_TIME: "time",
    c.BY_CLOSE: "close",
    c.BY_REGIME: "regime",
    c.BY_STOP: "stop",
    c.BY_PROFIT: "profit",
    c.BY_BUST: "bust",
}


def trades_frame(market: Market, detail: Detail) -> pl.DataFrame:
    """One row a trade, in order. Times are the starts of the fill bars; `return` is a fraction of the entry."""
    rows = detail.trades
    stamps = market.ts_us.astype("datetime64[us]")

    def column(index: int) -> np.ndarray:
        return np.ascontiguousarray(rows[:, index])

    return pl.DataFrame(
        {
            "entry_ts": pl.Series(stamps[rows[:, c.ENTRY].astype(np.int64)]).dt.replace_time_zone("UTC"),
            "exit_ts": pl.Series(stamps[rows[:, c.EXIT].astype(np.int64)]).dt.replace_time_zone("UTC"),
            "side": pl.Series(np.where(rows[:, c.DIRECTION] > 0, "long", "short"), dtype=pl.String),
            "shares": column(c.SHARES).astype(np.int64),
            "entry_price": column(c.ENTRY_PRICE),
            "exit_price": column(c.EXIT_PRICE),
            "bars": (rows[:, c.EXIT] - rows[:, c.ENTRY]).astype(np.int64),
            "costs": column(c.TRADE_COSTS),
            "pnl": column(c.PNL),
            "return": column(c.RETURN),
            "left_by": pl.Series([_REASONS[int(code)] for code in rows[:, c.REASON]], dtype=pl.String),
        }
    )


def equity_frame(market: Market, detail: Detail, starting_cash: float) -> pl.DataFrame:
    """One row a bar, as it stands after the bar.

    `buy_hold` is what the starting cash would be worth if it had bought at the first open; `drawdown` is equity over
    its running peak - 1; `hit_rate_100` is the share of hits among the last 100 bars held that moved, null before.
    """
    peak = np.maximum.accumulate(np.concatenate([[starting_cash], detail.equity]))[1:]
    return pl.DataFrame(
        {
            "ts": pl.Series(market.ts_us.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
            "cash": detail.cash,
            "shares": detail.shares.astype(np.int64),
            "close": market.close,
            "equity": detail.equity,
            "buy_hold": starting_cash * market.close / market.open[0],
            "drawdown": detail.equity / peak - 1.0,
            "hit_rate_100": _rolling_hits(market, detail),
        }
    )


def _rolling_hits(market: Market, detail: Detail) -> pl.Series:
    """Return the hit rate of the last 100 counted bars on each bar; metrics.py says what counts."""
    side = np.concatenate([[0.0], np.sign(detail.shares[:-1])])
    moved = np.concatenate([[0.0], np.diff(market.close)])
    moved[market.starts[:-1]] = 0.0
    counted = np.flatnonzero((side != 0) & (moved != 0))
    hits = pl.Series((moved[counted] > 0) == (side[counted] > 0)).cast(pl.Float64)
    out = np.full(market.bars, np.nan)
    out[counted] = hits.rolling_mean(_HIT_PERIODS).fill_null(np.nan).to_numpy()
    return pl.Series(out).fill_nan(None).forward_fill()
