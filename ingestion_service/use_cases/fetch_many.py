"""Asking for many symbols at once: one more day of a whole universe in a handful of requests and commits.

1. Symbols of whose span nobody has answered any part are asked for together where their first provider can do that; a
   few at a time, so that memory stays bounded. Their bars and notes are stored in one commit.
2. Everybody else - partly answered before, now without a bar, or with nothing but bad rows - is asked for alone,
   through the whole line of providers, as `use_cases.fetch` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime

import polars as pl

from ingestion_service.domain.requests import IngestBars, IngestMany
from ingestion_service.domain.sources import ManyAtOnce, MarketDataSource, NotOffered, Refused
from ingestion_service.domain.spans import Span, by_month
from ingestion_service.domain.validation import screen
from ingestion_service.store.bars import BarStore, Kept
from ingestion_service.store.providers import Providers
from ingestion_service.use_cases.fetch import SETTLE, Fetch
from ingestion_service.use_cases.tally import Tally
from shared.errors import BarsmithError, NotFound, Unavailable
from shared.jobs.context import JobContext

#: Rows held at a time, about; a minute of extended hours each.
_ROWS = 50_000
_ROWS_A_DAY = 960
#: So many symbols share a commit at most: what a killed job has to ask for again.
_MOST = 50


@dataclass
class FetchMany:
    """One job of fetching many symbols. `now` is the clock's."""

    store: BarStore
    now: Callable[[], datetime]
    providers: Providers
    request: IngestMany
    ctx: JobContext
    tally: Tally = field(default_factory=Tally)
    failed: dict[str, str] = field(default_factory=dict)

    def run(self) -> dict[str, object]:
        """Fetch, check and store what is missing; a symbol that nobody has is told in `failed`.

        Raises NotFound when nobody has any of the symbols, and Refused or Unavailable at once.
        """
        chunks = list(self._chunks())
        for done, (span, symbols) in enumerate(chunks):
            self.ctx.advanced(done / len(chunks), f"{span.month} {symbols[0]}...: {self.tally.stored:,} bars so far")
            for symbol in self._left_over(span, symbols):
                self._alone(symbol, span)
        if self.failed and len(self.failed) == len(self.request.symbols):
            first = next(iter(self.failed.items()))
            raise NotFound(f"nobody has bars of any of the {len(self.failed)} symbols; {first[0]}: {first[1]}")
        return {**asdict(self.tally), "symbols": len(self.request.symbols), "failed": self.failed}

    def _chunks(self) -> Iterator[tuple[Span, list[str]]]:
        symbols = list(dict.fromkeys(self.request.symbols))
        for month in by_month([Span(self.request.start_utc, self.request.end_utc)]):
            days = max((month.end - month.start).days, 1)
            size = min(max(_ROWS // (days * _ROWS_A_DAY), 1), _MOST)
            for first in range(0, len(symbols), size):
                yield month, symbols[first : first + size]

    def _left_over(self, span: Span, symbols: list[str]) -> list[str]:
        """Take what can be asked for together; return who is to be asked for alone."""
        lines = {symbol: self.providers.line(self.request.provider, symbol) for symbol in symbols}
        names = {name for line in lines.values() for name in line.names}
        touched = set[str]() if self.request.refresh else self.store.asks.touched(symbols, sorted(names), span)
        together: dict[str, list[str]] = {}
        sources: dict[str, MarketDataSource] = {}
        for symbol, line in lines.items():
            first = line.sources[0]
            if symbol not in touched and isinstance(first, ManyAtOnce):
                sources[first.name] = first
                together.setdefault(first.name, []).append(symbol)
        taken = {symbol for name, group in together.items() for symbol in self._take(sources[name], group, span)}
        return [symbol for symbol in symbols if symbol not in taken]

    def _take(self, source: MarketDataSource, symbols: list[str], span: Span) -> list[str]:
        """Ask for `symbols` together and store what came; return those of whom something came."""
        assert isinstance(source, ManyAtOnce)  # noqa: S101 - chosen for it
        settled_until = min(span.end, self.now() - SETTLE)  # read before asking: what comes later is not in it
        answered = [Span(span.start, settled_until)] if settled_until > span.start else []
        try:
            frames = source.bars_of(symbols, span.start, span.end)
        except NotOffered:
            return []  # one name it does not know spoils the question for all
        finally:
            self.store.drift.record(source.drift())
        kept = [one for one in self._screened(frames, source.name, span, answered) if one.screened.bars.height]
        if kept:
            commit = self.store.save_many(kept, source.name, self.now(), self.ctx.still_mine)
            self.tally.new_rows += commit.rows_added
        for one in kept:
            self.tally.add(one.screened, where=f"{one.symbol} {span.month}")
        return [one.symbol for one in kept]

    def _screened(
        self, frames: dict[str, pl.DataFrame], provider: str, span: Span, answered: list[Span]
    ) -> Iterator[Kept]:
        around = self.store.around_many(list(frames), span)
        for symbol, raw in frames.items():
            if not raw.is_empty():
                screened = self.store.forgiven(symbol, screen(raw, symbol, provider, around[symbol]))
                yield Kept(symbol, screened, tuple(answered))

    def _alone(self, symbol: str, span: Span) -> None:
        request = self.request
        alone = IngestBars(
            symbol=symbol, start=span.start, end=span.end, provider=request.provider, refresh=request.refresh
        )
        line = self.providers.line(request.provider, symbol)
        job = Fetch(self.store, self.now, line, alone, self.ctx)
        try:
            job.run()
        except (Refused, Unavailable):
            raise
        except BarsmithError as error:
            self.failed[symbol] = str(error)[:300]
        finally:
            self.tally.merge(job.tally)
