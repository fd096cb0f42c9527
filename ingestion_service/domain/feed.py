"""What the live feed brought in the last hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from ingestion_service.domain.moments import in_us
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between

HOURS = 24
_HOUR_US = 60 * MINUTE_US


@dataclass(frozen=True, kw_only=True)
class FeedHour:
    """The hour from `start` on: regular minutes of all listened symbols that are over, those with a bar, and errors."""

    start: datetime
    expected: int
    stored: int
    errors: int


@dataclass(frozen=True, kw_only=True)
class FeedSymbol:
    """The same minutes of one symbol. One without a bar need not be a fault: perhaps nobody traded in it."""

    symbol: str
    expected: int
    stored: int


@dataclass(frozen=True, kw_only=True)
class Feed:
    """The last 24 clock hours, oldest first, the present one included; symbols, those that lack most bars first."""

    hours: list[FeedHour]
    symbols: list[FeedSymbol]


def first_hour(now: datetime) -> datetime:
    """Return the start of the oldest hour that a feed at `now` tells of."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def feed(now: datetime, stored_us: Mapping[str, Int64Array], errors: Mapping[datetime, int]) -> Feed:
    """Return the feed of the listened symbols.

    stored_us : symbol -> stored minutes (int64 microseconds, any order) from `first_hour(now)` on; empty when none is
    errors    : full hour -> errors met in it
    """
    start = first_hour(now)
    begin, end = in_us(start), in_us(now)
    # a session that opened before the first hour reaches into it
    regular = sessions_between(begin - HOURS * _HOUR_US, end).expected_minutes()
    always = np.arange(begin, end, MINUTE_US, dtype=np.int64)
    expected, stored = np.zeros(HOURS, np.int64), np.zeros(HOURS, np.int64)
    symbols: list[FeedSymbol] = []
    for symbol, minutes in stored_us.items():
        wanted = always if crypto_pair(symbol) else regular
        wanted = wanted[(wanted >= begin) & (wanted + MINUTE_US <= end)]
        came = np.intersect1d(wanted, minutes)
        expected += np.bincount((wanted - begin) // _HOUR_US, minlength=HOURS)
        stored += np.bincount((came - begin) // _HOUR_US, minlength=HOURS)
        symbols.append(FeedSymbol(symbol=symbol, expected=len(wanted), stored=len(came)))
    moments = [start + timedelta(hours=hour) for hour in range(HOURS)]
    return Feed(
        hours=[
            FeedHour(start=moment, expected=int(due), stored=int(came), errors=errors.get(moment, 0))
            for moment, due, came in zip(moments, expected, stored, strict=True)
        ],
        symbols=sorted(symbols, key=lambda one: (one.stored - one.expected, one.symbol)),
    )
