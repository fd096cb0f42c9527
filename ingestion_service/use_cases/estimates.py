"""What a fetch would ask for: the months nobody has answered, in pages of whoever is asked first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from ingestion_service.domain.days import any_session, finished
from ingestion_service.domain.estimates import Estimate, minutes_expected, requests_for
from ingestion_service.domain.requests import IngestBars
from ingestion_service.domain.spans import Span, by_month, happened
from ingestion_service.store.bars import BarStore, Stock
from ingestion_service.store.providers import Providers
from shared.clock import Clock
from shared.contracts.kinds import JobKind
from shared.jobs.model import JobState
from shared.jobs.queue import Queue

#: fetches looked back at, to tell how long a month takes
_FETCHES = 50
#: newest months of a symbol that tell how many bars a session of it has
_MONTHS = 12


class Estimates:
    """Tells how much fetches would ask for, and asks nobody."""

    def __init__(self, store: BarStore, queue: Queue, clock: Clock, providers: Providers) -> None:
        self._store, self._queue, self._clock, self._providers = store, queue, clock, providers

    def of(self, requests: Sequence[IngestBars]) -> Estimate:
        """Return what the requests would ask for, one job each. Raises InvalidInput as submitting them does."""
        # one look at the last fetches for all symbols of a provider
        seconds_a_month = cache(self._seconds_a_month)
        parts = [self._days(one) if one.timeframe == "1d" else self._minutes(one, seconds_a_month) for one in requests]
        times = [part.seconds for part in parts if part.pieces]
        return Estimate(
            symbols=len(parts),
            pieces=sum(part.pieces for part in parts),
            of_pieces=sum(part.of_pieces for part in parts),
            requests=sum(part.requests for part in parts),
            seconds=None if None in times else sum(time for time in times if time is not None),
        )

    def _minutes(self, request: IngestBars, seconds_a_month: Callable[[str], float | None]) -> Estimate:
        names = self._providers.names(request.provider, request.symbol)
        asked = happened(Span(request.start_utc, request.end_utc), self._clock.now(), request.symbol)
        left = [asked] if request.refresh else self._store.asks.missing_spans(request.symbol, names, asked)
        months, page = by_month(left), self._providers.page(names[0])
        usual = self._usual_share(request.symbol) if months else 1.0
        seconds = seconds_a_month(names[0]) if months else 0.0
        return Estimate(
            symbols=1,
            pieces=len(months),
            of_pieces=len(by_month([asked])),
            requests=sum(
                requests_for(month, minutes_expected(request.symbol, month) * usual, page) for month in months
            ),
            seconds=None if seconds is None else seconds * len(months),
        )

    def _days(self, request: IngestBars) -> Estimate:
        """Return what is left of days: a span of them, however long, is one question."""
        names = self._providers.names(request.provider, request.symbol)
        asked = finished(request.symbol, Span(request.start_utc, request.end_utc), self._clock.now())
        left = [asked] if request.refresh else self._store.days.missing(request.symbol, names, asked)
        spans = sum(any_session(request.symbol, days) for days in left)
        return Estimate(symbols=1, pieces=spans, of_pieces=1, requests=spans, seconds=None)

    def _usual_share(self, symbol: str) -> float:
        """Return how many bars the symbol's newest stored months have, over the regular minutes they span."""
        months = [file for stock in self._store.stocks(symbol) for file in _told(stock)[-_MONTHS:]]
        regular = sum(minutes_expected(symbol, span) for span, _ in months)
        return sum(rows for _, rows in months) / regular if regular else 1.0

    def _seconds_a_month(self, provider: str) -> float | None:
        """Return how long a month took in the newest fetches from `provider`, None when there was none."""
        months, seconds = 0, 0.0
        for job in self._queue.newest([JobKind.INGEST_BARS], _FETCHES):
            result, began, ended = job.result or {}, job.started_at, job.finished_at
            if job.state is JobState.COMPLETED and result.get("provider") == provider and began and ended:
                months += int(result.get("months", 0))
                seconds += (ended - began).total_seconds() if result.get("months") else 0.0
        return seconds / months if months else None


def _told(stock: Stock) -> list[tuple[Span, int]]:
    """Return each month's span, from its first bar to its last one, and how many bars it has."""
    return [(Span(file.min_ts, file.max_ts), file.row_count) for file in stock.files if file.min_ts and file.max_ts]
