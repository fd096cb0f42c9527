"""Half-open spans of time [start, end) in UTC, and how they are cut into months."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import polars as pl

from shared.errors import InvalidInput

#: A provider may still revise what was over just now (late trades; free feeds lag by 15 minutes): minutes are not noted
#: as answered, and days not asked for, before they have been over for so long.
SETTLE = timedelta(minutes=20)


@dataclass(frozen=True)
class Span:
    """[start, end) in UTC."""

    start: datetime
    end: datetime

    @property
    def month(self) -> str:
        """The calendar month of the start, e.g. "2024-05"."""
        return self.start.strftime("%Y-%m")


def happened(span: Span, now: datetime, symbol: str) -> Span:
    """Return the part of `span` whose minutes are over at `now`; the minute still being formed is not.

    Raises InvalidInput when there is none.
    """
    over = now.astimezone(UTC).replace(second=0, microsecond=0)
    if span.start >= over:
        raise InvalidInput(
            f"{symbol}: nothing of the span from {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC has "
            f"happened yet, it is {now:%Y-%m-%d %H:%M} UTC: use a start before {over:%Y-%m-%d %H:%M}"
        )
    return Span(span.start, min(span.end, over))


def span_of(stamps: pl.Series) -> Span:
    """Return the span from the first to the last of `stamps` (TS, nulls ignored), an empty one when there is none."""
    first, last = (cast("datetime | None", bound) for bound in (stamps.min(), stamps.max()))
    nowhere = datetime(1970, 1, 1, tzinfo=UTC)
    return Span(first or nowhere, (last or nowhere) + timedelta(microseconds=1))


def by_month(spans: Iterable[Span]) -> list[Span]:
    """Cut each span at the first of every month (UTC), keeping order; months are the lake's partitions."""
    return [piece for span in spans for piece in _cut(span)]


def _cut(span: Span) -> Iterable[Span]:
    start = span.start
    while start < span.end:
        end = min(_next_month(start), span.end)
        yield Span(start, end)
        start = end


def _next_month(moment: datetime) -> datetime:
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A provider answered [start, end) of a symbol in full; `empty` when it did so without a single bar."""

    provider: str
    start: datetime
    end: datetime
    empty: bool


@dataclass(frozen=True)
class Settled:
    """What a provider's answer settles: what it said of `spans` will not change any more.

    `empty`: it held no bars there, so that the provider perhaps does not know the symbol. `anew`: what the provider was
    noted to have answered of these is forgotten first.
    """

    spans: Sequence[Span]
    empty: bool = False
    anew: Sequence[Span] = ()


@dataclass(frozen=True, kw_only=True)
class FailedAsk:
    """A provider was asked for [start, end) of a symbol and has not answered it to this day.

    `kind` is refused (credentials), not_offered (it has no such data), unavailable, or bad (no sound row).
    """

    provider: str
    start: datetime
    end: datetime
    kind: str
    reason: str
    asks: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class LastFailure:
    """The newest ask of a symbol that its provider has not answered since; `kind` as in FailedAsk."""

    symbol: str
    provider: str
    kind: str
    reason: str
    last_at: datetime


def minus(span: Span, taken: Iterable[Span]) -> list[Span]:
    """Return what is left of `span` without `taken`, in order."""
    left, start = list[Span](), span.start
    for piece in sorted(taken, key=lambda piece: piece.start):
        if piece.start > start:
            left.append(Span(start, min(piece.start, span.end)))
        start = max(start, piece.end)
        if start >= span.end:
            return left
    return [*left, Span(start, span.end)]
