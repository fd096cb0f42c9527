"""How much of the regular sessions the stored bars cover."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from ingestion_service.domain.gaps import Missing, expected_minutes
from ingestion_service.domain.moments import DAY_US
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between


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


def by_session(symbol: str, missing: Missing) -> list[SessionCoverage]:
    """Return each expected session (for crypto: day in UTC) and what is missing of it, oldest first."""
    expected = missing.expected_us
    if not len(expected):
        return []
    first_day = int(expected[0]) // DAY_US
    sessions = sessions_between(int(expected[0]), int(expected[-1]) + MINUTE_US)
    daily = crypto_pair(symbol) is not None
    dates = np.arange(first_day, int(expected[-1]) // DAY_US + 1).astype("datetime64[D]") if daily else sessions.date

    def count(minutes: Int64Array) -> list[int]:
        rows = minutes // DAY_US - first_day if daily else sessions.index_of(minutes)
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


def off_hours(symbol: str, ts_us: Int64Array) -> int:
    """Return how many bars at `ts_us` (ascending, unique) lie outside regular hours; a coin has no others."""
    if not len(ts_us):
        return 0
    return len(np.setdiff1d(ts_us, expected_minutes(symbol, int(ts_us[0]), int(ts_us[-1])), assume_unique=True))
