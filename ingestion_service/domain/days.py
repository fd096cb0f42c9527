"""Daily bars as they are stored: one a session, named by its open; of a coin one a day in UTC.

They are what a provider says of whole days, beside the minutes and never among them: only where less than half of a
session's minutes is stored does a read take its daily bar (`days_beside`). `source` ends with MARK: it says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from ingestion_service.domain.moments import DAY_US, in_us
from ingestion_service.domain.spans import SETTLE, Span
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.datasets import TS
from shared.contracts.sessions import MINUTE_US, Int64Array, all_sessions
from shared.contracts.splits import EXCHANGE_ZONE
from shared.errors import InvalidInput

#: What the source of a daily bar ends with: "yahoo 1d".
MARK = " 1d"
#: so few bars at one time of day may be minutes of a symbol that hardly trades
_A_FEW = 5


@dataclass(frozen=True)
class Days:
    """The trading days [start, end)."""

    start: date
    end: date


def finished(symbol: str, span: Span, now: datetime) -> Days:
    """Return the days that begin in `span` and are over, and settled, at `now`.

    Raises InvalidInput when there is none. The calendar of sessions begins with 1926, that of coins has no beginning.
    """
    start_us, end_us, over_us = (in_us(moment) for moment in (span.start, span.end, now - SETTLE))
    if crypto_pair(symbol):
        first, last = -(-start_us // DAY_US), min(-(-end_us // DAY_US), over_us // DAY_US)
        found = [np.datetime64(first, "D"), np.datetime64(last - 1, "D")] if first < last else []
    else:
        sessions = all_sessions().between(start_us, end_us)
        found = list(sessions.date[sessions.close_us <= over_us])
    if not found:
        raise InvalidInput(
            f"{symbol}: no trading day begins between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC "
            f"and was over by {now - SETTLE:%Y-%m-%d %H:%M}: a daily bar is stored 20 minutes after its session's close"
        )
    return Days(_date(found[0]), _date(found[-1]) + timedelta(days=1))


def any_session(symbol: str, days: Days) -> bool:
    """Return whether the market was open on any of the days."""
    sessions = all_sessions().date
    return crypto_pair(symbol) is not None or bool(
        np.any((sessions >= np.datetime64(days.start)) & (sessions < np.datetime64(days.end)))
    )


def opens_and_ends(symbol: str, stamps: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return when the day of each stamp (TS; its date in UTC is the trading day) opens and ends, null for none."""
    days = stamps.dt.date()
    if crypto_pair(symbol):
        begins = days.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        return begins, begins.dt.offset_by("1d")
    sessions = all_sessions()
    calendar = pl.DataFrame(
        {
            "day": pl.Series(sessions.date.astype("datetime64[D]")),
            "opens": pl.Series(sessions.open_us).cast(TS),
            "ends": pl.Series(sessions.close_us).cast(TS),
        }
    )
    found = days.to_frame("day").join(calendar, on="day", how="left", maintain_order="left")
    return found["opens"], found["ends"]


def days_beside(symbol: str, days: pl.DataFrame, minutes: pl.DataFrame) -> pl.DataFrame:
    """Return minutes (ts ascending) and daily bars of the same columns, so that each session has bars of one kind.

    A session takes its daily bar where less than half of its regular minutes is stored: a few minutes are no day.
    """
    if days.is_empty() or minutes.is_empty():
        return pl.concat([minutes, days])
    opens_us, closes_us = _bounds(symbol, days)
    ts_us = minutes["ts"].to_physical().to_numpy()
    first, last = np.searchsorted(ts_us, opens_us), np.searchsorted(ts_us, closes_us)
    few = last - first < (closes_us - opens_us) // MINUTE_US / 2
    # +1 where a session that takes its day begins, -1 where it ends
    edges = np.zeros(len(ts_us) + 1, np.int64)
    np.add.at(edges, first[few], 1)
    np.add.at(edges, last[few], -1)
    kept = minutes.filter(pl.Series(np.cumsum(edges)[:-1] == 0))
    return pl.concat([kept, days.filter(pl.Series(few))])


def _bounds(symbol: str, days: pl.DataFrame) -> tuple[Int64Array, Int64Array]:
    """Return when the regular hours of each daily bar, which is named by its open, begin and end."""
    opens_us = days["ts"].to_physical().to_numpy()
    if crypto_pair(symbol):
        return opens_us, opens_us + DAY_US
    sessions = all_sessions()
    return opens_us, sessions.close_us[sessions.index_of(opens_us)]


def _date(day: np.datetime64) -> date:
    return day.astype("datetime64[D]").item()


def looks_daily(ts: pl.Series) -> bool:
    """Return whether times of bars are days: more than a few, and all at one time of day, in UTC or in New York."""
    days = ts.drop_nulls()
    if days.len() < _A_FEW:
        return False
    return any(one.dt.time().n_unique() == 1 for one in (days, days.dt.convert_time_zone(EXCHANGE_ZONE)))
