"""How much a fetch will ask for, told before anybody is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from ingestion_service.domain.moments import DAY_US, in_us
from ingestion_service.domain.spans import Span
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.sessions import sessions_between

#: What one answer of a provider holds at most: so many bars, or so much time.
Page = int | timedelta


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What is left to ask for.

    pieces, of_pieces : months of all symbols that are still to be asked for, and all of them; of daily bars, spans
    requests          : about how many requests these take of whoever is asked first
    seconds           : about how long one worker takes; None while no fetch has told how long such months take
    """

    symbols: int
    pieces: int
    of_pieces: int
    requests: int
    seconds: float | None


def minutes_expected(symbol: str, span: Span) -> int:
    """Return how many minutes of `span` have a bar when nobody rests: of a stock, those of regular sessions."""
    return (span.end - span.start) // timedelta(minutes=1) if crypto_pair(symbol) else _regular_minutes(span)


@lru_cache(maxsize=4_096)
def _regular_minutes(span: Span) -> int:
    """Return the regular minutes of `span`; hundreds of symbols are asked for the same months."""
    start, end = in_us(span.start), in_us(span.end)
    minutes = sessions_between(start - DAY_US, end).expected_minutes()
    return int(((minutes >= start) & (minutes < end)).sum())


def requests_for(span: Span, minutes: float, page: Page) -> int:
    """Return how many requests bring `minutes` bars of `span`; a span without a bar is asked for once too."""
    if isinstance(page, timedelta):
        return max(1, -(-(span.end - span.start) // page))
    return max(1, -int(-minutes // page))
