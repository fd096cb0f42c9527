"""How much of the regular sessions the stored bars cover."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from ingestion_service.domain.gaps import Missing, expected_minutes
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between

_DAY_US = 86_400_000_000


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """Counts from the open of the first bar's session to the last bar, both included.

    sessions          : regular sessions with at least one bar
    sessions_expected : regular sessions of the span
    missing_minutes   : minutes of those sessions without a bar. A minute without a trade has no bar either.
    off_hours         : bars outside regular hours

    Coins trade around the clock: their sessions are days in UTC, and no bar is off hours.
    """

    sessions: int
    sessions_expected: int
    missing_minutes: int
    off_hours: int


def completeness(symbol: str, ts_us: Int64Array) -> Completeness:
    """Return the completeness of bars at `ts_us` (int64 microseconds, ascending, unique; shape (n,), n >= 1)."""
    first, last = int(ts_us[0]), int(ts_us[-1])
    if crypto_pair(symbol):
        return Completeness(
            sessions=len(np.unique(ts_us // _DAY_US)),
            sessions_expected=last // _DAY_US - first // _DAY_US + 1,
            missing_minutes=(last - first) // MINUTE_US + 1 - len(ts_us),
            off_hours=0,
        )
    # the session of the first bar opened before it, and is expected whole
    sessions = sessions_between(first - _DAY_US, last + MINUTE_US)
    sessions = sessions.between(int(sessions.open_us[sessions.close_us > first].min(initial=last + 1)), last + 1)
    expected = sessions.expected_minutes()
    expected = expected[expected <= last]
    present = np.intersect1d(expected, ts_us, assume_unique=True)
    touched = sessions.index_of(present)
    return Completeness(
        sessions=len(np.unique(touched)),
        sessions_expected=len(np.unique(sessions.index_of(expected))),
        missing_minutes=len(expected) - len(present),
        off_hours=len(ts_us) - len(present),
    )


@dataclass(frozen=True, kw_only=True)
class SessionCoverage:
    """Minutes of one session: expected = stored + outage + refused + silent + no_trade."""

    date: date
    expected: int
    stored: int
    outage: int
    refused: int
    silent: int
    no_trade: int

    @property
    def gap_minutes(self) -> int:
        return self.outage + self.refused + self.silent


def by_session(symbol: str, ts_us: Int64Array, missing: Missing) -> list[SessionCoverage]:
    """Return each expected session (for crypto: day in UTC) of bars at `ts_us` (ascending, n >= 1), oldest first."""
    expected = expected_minutes(symbol, int(ts_us[0]), int(ts_us[-1]))
    if not len(expected):
        return []
    first_day = int(expected[0]) // _DAY_US
    sessions = sessions_between(int(expected[0]), int(expected[-1]) + MINUTE_US)
    daily = crypto_pair(symbol) is not None
    dates = np.arange(first_day, int(expected[-1]) // _DAY_US + 1).astype("datetime64[D]") if daily else sessions.date

    def count(minutes: Int64Array) -> list[int]:
        rows = minutes // _DAY_US - first_day if daily else sessions.index_of(minutes)
        return np.bincount(rows, minlength=len(dates)).tolist()

    reasons = {why.value: count(missing.ts_us[here]) for why, here in missing.why().items()}
    return [
        SessionCoverage(
            date=day.item(),
            expected=minutes,
            stored=minutes - sum(lacking),
            **dict(zip(reasons, lacking, strict=True)),
        )
        for day, minutes, *lacking in zip(dates, count(expected), *reasons.values(), strict=True)
    ]
