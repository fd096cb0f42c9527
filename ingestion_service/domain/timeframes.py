"""Longer bars from minute bars.

A longer bar covers minutes of one session, counted from its open: 4h bars of a full day cover 240 and 150 minutes, the
last bar of a half day ends with it. A daily bar is a session, a weekly bar the sessions of a calendar week. `ts` is the
first minute the bar stands for, whether or not that minute traded. Minutes outside regular hours are left out, so a
day's bar is the regular session's. Crypto has no sessions: its bars follow the clock in UTC, weeks from Monday.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import numpy as np
import polars as pl

from ingestion_service.domain.moments import DAY_US
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.datasets import BARS_1M, TS
from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between

_WEEK_US = 7 * DAY_US
#: 1970-01-05 was a Monday
_MONDAY_US = 4 * DAY_US


class Timeframe(StrEnum):
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"

    @property
    def reach(self) -> timedelta:
        """How far beyond its start a bar can reach."""
        return {Timeframe.M1: timedelta(), Timeframe.W1: timedelta(days=7)}.get(self, timedelta(days=1))


_MINUTES = {
    Timeframe.M5: 5,
    Timeframe.M15: 15,
    Timeframe.M30: 30,
    Timeframe.H1: 60,
    Timeframe.H4: 240,
    Timeframe.D1: 1_440,
}
#: no start of a bar; days before 1970 have negative ones
_OUTSIDE = np.iinfo(np.int64).min


def resampled(minutes: pl.DataFrame, symbol: str, timeframe: Timeframe) -> pl.DataFrame:
    """Return bars of `timeframe` made of `minutes` (schema BARS_1M, ascending), in the same schema.

    Volume is null where no minute has one. `source` names all sources in a bar, joined by "+".
    """
    if timeframe is Timeframe.M1 or minutes.is_empty():
        return minutes
    ts_us = minutes["ts"].to_physical().to_numpy()
    starts = _by_clock(ts_us, timeframe) if crypto_pair(symbol) else _by_session(ts_us, timeframe)
    grouped = minutes.lazy().with_columns(begin=pl.Series(starts)).filter(pl.col("begin") != _OUTSIDE)
    return (
        grouped.group_by("begin", maintain_order=True)
        .agg(
            pl.col("symbol").first(),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.when(pl.col("volume").count() > 0).then(pl.col("volume").sum()).alias("volume"),
            pl.col("source").unique().sort().str.join("+"),
        )
        .with_columns(ts=pl.col("begin").cast(TS))
        .select(BARS_1M.schema.names())
        .collect()
    )


def _by_clock(ts_us: Int64Array, timeframe: Timeframe) -> Int64Array:
    if timeframe is Timeframe.W1:
        return ts_us - (ts_us - _MONDAY_US) % _WEEK_US
    return ts_us - ts_us % (_MINUTES[timeframe] * MINUTE_US)


def _by_session(ts_us: Int64Array, timeframe: Timeframe) -> Int64Array:
    """Return the start of the bar each minute belongs to, _OUTSIDE when it lies outside regular hours."""
    sessions = sessions_between(int(ts_us[0]) - 2 * _WEEK_US, int(ts_us[-1]) + MINUTE_US)
    if not len(sessions):
        return np.full(len(ts_us), _OUTSIDE, dtype=np.int64)
    row = sessions.index_of(ts_us)
    known = np.maximum(row, 0)
    if timeframe is Timeframe.W1:
        week = (sessions.open_us - _MONDAY_US) // _WEEK_US
        opens = sessions.open_us[np.searchsorted(week, week)][known]
    else:
        width = _MINUTES[timeframe] * MINUTE_US
        opened = sessions.open_us[known]
        opens = opened + (ts_us - opened) // width * width
    return np.where(row >= 0, opens, _OUTSIDE)
