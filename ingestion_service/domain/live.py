"""What a live feed says, and whoever can say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log
from typing import Protocol

import polars as pl

from ingestion_service.domain.coverage import SessionCoverage
from ingestion_service.domain.sources import RAW_SCHEMA


@dataclass(frozen=True, kw_only=True)
class LiveBar:
    """A closed minute; `ts` is its start in UTC. A later one of the same minute replaces it."""

    symbol: str
    ts: datetime
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None


@dataclass(frozen=True)
class Subscribed:
    """From now on every closed minute comes; what ended before does not."""


@dataclass(frozen=True)
class Dropped:
    """The connection is gone, and the feed tries to get another one."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """The provider does not let us in: asking again changes nothing."""

    reason: str


@dataclass(frozen=True)
class Troubled:
    """The provider says what is wrong with what we want; the next `Subscribed` ends it."""

    reason: str


FeedEvent = LiveBar | Subscribed | Dropped | Refused | Troubled


class LiveFeed(Protocol):
    """A connection that is kept up by itself. After each `Dropped` comes a `Subscribed` before the next bar."""

    @property
    def name(self) -> str:
        """What is stored as the `source` of its bars."""
        ...

    def take(self, seconds: float) -> list[FeedEvent]:
        """Return what was said since the last call, in order; wait up to `seconds` for the first of it."""
        ...

    def close(self) -> None:
        """Leave. Safe to call twice."""
        ...


class MarketClock(Protocol):
    """A Clock that shows the provider's time."""

    @property
    def speed(self) -> float:
        """How fast its time runs, in parts of ours: a replay's may be faster, or stand still (0)."""
        ...

    def now(self) -> datetime: ...

    def monotonic(self) -> float:
        """Return our own seconds, which no replay changes."""
        ...

    def sync(self) -> None:
        """Look again what time it is there."""
        ...


#: a week of sessions tells how dense a symbol is
_ENOUGH_MINUTES = 5 * 390
_STRANGE = 1e-6


def raw_frames(bars: list[LiveBar]) -> dict[str, pl.DataFrame]:
    """Return the bars by symbol in RAW_SCHEMA for `validation.screen`; of a minute said twice, the last counts."""
    newest = {(bar.symbol, bar.ts): bar for bar in bars}
    by_symbol: dict[str, list[LiveBar]] = {}
    for bar in newest.values():
        by_symbol.setdefault(bar.symbol, []).append(bar)
    return {
        symbol: pl.DataFrame(
            {name: [getattr(bar, name) for bar in some] for name in RAW_SCHEMA}, schema=RAW_SCHEMA, strict=False
        )
        for symbol, some in by_symbol.items()
    }


def usual_silence(sessions: Sequence[SessionCoverage]) -> timedelta | None:
    """Return how long a symbol may be silent in session before that is strange; None where too little is known of it.

    With bars in a share s of its minutes, a silence of k of them has the chance (1 - s)^k if minutes know nothing of
    each other. They do: trades come in bunches. So twice the k of one in a million: 6 minutes for a symbol with a bar
    in every minute, 40 with one in every other, hours for a thin one.
    """
    expected, stored = sum(one.expected for one in sessions), sum(one.stored for one in sessions)
    if expected < _ENOUGH_MINUTES or not stored:
        return None
    share = min(stored / expected, 0.99)
    return timedelta(minutes=2 * log(_STRANGE) / log(1 - share))
