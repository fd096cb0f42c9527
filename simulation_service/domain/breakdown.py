"""A run's account by month and by regime.

A bar belongs to the regime that was known when it began (at the close of the bar before), a trade to that of its entry
bar: so a table by regime says what was earned by those who could know the state. Returns compound over the bars of
their row, so the rows of a table multiply to the run's total return. Shares and rates are fractions; null: undefined.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from shared.contracts.regimes import state_name
from simulation_service.domain.market import Market, States

UNKNOWN = -1


def by_month(equity: pl.DataFrame, trades: pl.DataFrame, starting_cash: float) -> pl.DataFrame:
    """Return one row a month: month (its first day), return, buy_hold, trades, win_rate, exposure, costs.

    equity, trades : the run's tables (domain/tables.py)
    """
    month = pl.col("ts").dt.date().dt.month_start().alias("month")
    return _summed(_bars(equity, starting_cash).with_columns(month), trades.with_columns(_entry_month()), "month")


def by_regime(
    market: Market, regimes: Mapping[str, States], equity: pl.DataFrame, trades: pl.DataFrame, starting_cash: float
) -> pl.DataFrame:
    """Return one row a regime column and state (-1: unknown): the columns of `by_month`, and share of the bars.

    state_name : what the state is called; "" in a column whose states have no names
    """
    tables: list[pl.DataFrame] = []
    for name, states in sorted(regimes.items()):
        before = np.concatenate([[UNKNOWN], states[:-1]]).astype(np.int8)
        entered = before[np.searchsorted(market.ts_us, trades["entry_ts"].dt.epoch("us").to_numpy())]
        bars = _bars(equity, starting_cash).with_columns(pl.Series("state", before))
        found = _summed(bars, trades.with_columns(pl.Series("state", entered, dtype=pl.Int8)), "state")
        share = (pl.col("bars") / market.bars).alias("share")
        called = pl.Series("state_name", [state_name(name, state) for state in found["state"]], dtype=pl.String)
        table = found.select(pl.lit(name).alias("regime"), "state", called, share, pl.exclude("state", "bars"), "bars")
        tables.append(table)
    return pl.concat(tables) if tables else pl.DataFrame()


def _entry_month() -> pl.Expr:
    return pl.col("entry_ts").dt.date().dt.month_start().alias("month")


def _bars(equity: pl.DataFrame, starting_cash: float) -> pl.DataFrame:
    """Return each bar's growth of the account and of buy and hold."""
    hold = pl.col("buy_hold")
    return equity.select(
        "ts",
        (pl.col("shares") != 0).alias("held"),
        (pl.col("equity") / pl.col("equity").shift(1, fill_value=starting_cash)).alias("growth"),
        (hold / hold.shift(1, fill_value=starting_cash)).alias("hold_growth"),
    )


def _summed(bars: pl.DataFrame, trades: pl.DataFrame, key: str) -> pl.DataFrame:
    account = bars.group_by(key).agg(
        (pl.col("growth").product() - 1).alias("return"),
        (pl.col("hold_growth").product() - 1).alias("buy_hold"),
        pl.col("held").mean().alias("exposure"),
        pl.len().alias("bars"),
    )
    made = trades.group_by(key).agg(
        pl.len().alias("trades"),
        (pl.col("pnl") > 0).mean().alias("win_rate"),
        pl.col("costs").sum(),
    )
    joined = account.join(made, on=key, how="left").sort(key)
    return joined.with_columns(pl.col("trades").fill_null(0), pl.col("costs").fill_null(0.0))
