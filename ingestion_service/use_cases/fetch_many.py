"""Asking for many symbols at once: one more day of a whole universe in a handful of requests and commits.

1. Symbols of whose span nobody has answered any part, and no bar is stored, are asked for together where their first
   provider can do that; a few at a time, so that memory stays bounded. Their bars and notes are stored in one commit.
2. While those are stored, the next ones are asked for already.
3. Everybody else - partly answered before, now without a bar, or with nothing but bad rows - is asked for alone,
   through the whole line of providers, as `use_cases.fetch` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from datetime import datetime

import polars as pl

from ingestion_service.domain.requests import IngestBars, IngestMany
from ingestion_service.domain.sources import ManyAtOnce, MarketDataSource, NotOffered, Refused
from ingestion_service.domain.spans import SETTLE, Span, by_month, happened
from ingestion_service.store.bars import BarStore, Kept
from ingestion_service.store.providers import Providers
from ingestion_service.use_cases.asking import Asking
from ingestion_service.use_cases.fetch import Fetch
from ingestion_service.use_cases.second_opinion import SecondOpinion
from ingestion_service.use_cases.tally import Tally
from shared.errors import BarsmithError, NotFound, Unavailable
from shared.jobs.context import JobContext

#: Rows held at a time, about; a minute of extended hours each.
_ROWS = 50_000
_ROWS_A_DAY = 960
#: So many symbols share a commit at most: what a killed job has to ask for again.
_MOST = 50


@dataclass(frozen=True)
class _Question:
    """What was asked of `source` about many symbols: `settled` will not change any more, empty when all is too new."""

    source: MarketDataSource
    span: Span
    settled: tuple[Span, ...]
    answer: Future[dict[str, pl.DataFrame]]


@dataclass
class FetchMany:
    """One job of fetching many symbols. `now` is the clock's."""

    store: BarStore
    now: Callable[[], datetime]
    providers: Providers
    request: IngestMany
    ctx: JobContext
    asking: Asking
    tally: Tally = field(default_factory=Tally)
    #: by symbol: why a month of it stayed open; that nobody has a month of it, which may lie before its first bar
    failed: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)
    #: second providers that were silent in this job, and are not waited for again
    silent: dict[str, Unavailable] = field(default_factory=dict)

    def run(self) -> dict[str, object]:
        """Fetch, check and store what is missing; a symbol that nobody has is told in `failed`.

        Raises NotFound when nobody has any of the symbols, and Refused or Unavailable at once.
        """
        chunks = list(self._chunks())
        asked = self._asked(*chunks[0])
        for done, (span, symbols) in enumerate(chunks):
            self.ctx.advanced(done / len(chunks), f"{span.month} {symbols[0]}...: {self.tally.stored:,} bars so far")
            answers = [(question, self._answer(question)) for question in asked]
            asked = self._asked(*chunks[done + 1]) if done + 1 < len(chunks) else []
            taken = {symbol for question, frames in answers for symbol in self._stored(question, frames)}
            self.found |= taken
            for symbol in symbols:
                if symbol not in taken:
                    self._alone(symbol, span)
        failed = {symbol: why for symbol, why in self.absent.items() if symbol not in self.found} | self.failed
        if failed and not self.found:
            first = next(iter(failed.items()))
            raise NotFound(f"nobody has bars of any of the {len(failed)} symbols; {first[0]}: {first[1]}")
        return {**asdict(self.tally), "symbols": len(set(self.request.symbols)), "failed": failed}

    def _chunks(self) -> Iterator[tuple[Span, list[str]]]:
        symbols = list(dict.fromkeys(self.request.symbols))
        asked = Span(self.request.start_utc, self.request.end_utc)
        for month in by_month([happened(asked, self.now(), symbols[0])]):
            days = max((month.end - month.start).days, 1)
            size = min(max(_ROWS // (days * _ROWS_A_DAY), 1), _MOST)
            for first in range(0, len(symbols), size):
                yield month, symbols[first : first + size]

    def _asked(self, span: Span, symbols: list[str]) -> list[_Question]:
        """Ask for those who can be asked for together, a question for each of their first providers."""
        lines = {symbol: self.providers.line(self.request.provider, symbol) for symbol in symbols}
        names = {name for line in lines.values() for name in line.names}
        touched = set[str]()
        if not self.request.refresh:
            # who has bars there is looked at more closely, alone
            touched = self.store.asks.touched(symbols, sorted(names), span) | self.store.occupied(symbols, span)
        together: dict[str, list[str]] = {}
        sources: dict[str, MarketDataSource] = {}
        for symbol, line in lines.items():
            first = line.sources[0]
            if symbol not in touched and isinstance(first, ManyAtOnce):
                sources[first.name] = first
                together.setdefault(first.name, []).append(symbol)
        return [self._put(sources[name], group, span) for name, group in together.items()]

    def _put(self, source: MarketDataSource, symbols: list[str], span: Span) -> _Question:
        assert isinstance(source, ManyAtOnce)  # noqa: S101 - chosen for it
        settled_until = min(span.end, self.now() - SETTLE)  # read before asking: what comes later is not in it
        settled = (Span(span.start, settled_until),) if settled_until > span.start else ()
        answer = self.asking.put(source, lambda: source.bars_of(symbols, span.start, span.end))
        return _Question(source, span, settled, answer)

    def _answer(self, question: _Question) -> dict[str, pl.DataFrame]:
        """Return the rows of each symbol that has some."""
        try:
            frames = question.answer.result()
        except NotOffered:
            return {}  # one name it does not know spoils the question for all
        return {symbol: raw for symbol, raw in frames.items() if raw.height}

    def _stored(self, question: _Question, frames: dict[str, pl.DataFrame]) -> list[str]:
        """Store what came; return the symbols of whom there were bars."""
        if not frames:
            return []
        provider, span = question.source.name, question.span
        second = SecondOpinion(self.asking, self.tally, self.silent)
        kept = [
            Kept(symbol, screened, question.settled, confirmed)
            for symbol, judged in self.store.judged(frames, provider, span).items()
            for sources in [self.providers.line(self.request.provider, symbol).sources]
            for screened, confirmed in [second.on(judged, symbol, provider, sources)]
            if screened.bars.height
        ]
        if kept:
            commit = self.store.save_many(kept, provider, self.now(), self.ctx.still_mine)
            self.tally.count(commit)
        for one in kept:
            self.tally.add(one.screened, where=f"{one.symbol} {span.month}")
        return [one.symbol for one in kept]

    def _alone(self, symbol: str, span: Span) -> None:
        request = self.request
        alone = IngestBars(
            symbol=symbol, start=span.start, end=span.end, provider=request.provider, refresh=request.refresh
        )
        line = self.providers.line(request.provider, symbol)
        job = Fetch(self.store, self.now, line, alone, self.ctx, self.asking)
        try:
            job.run()
            self.found.add(symbol)
        except (Refused, Unavailable):
            raise
        except NotFound as error:
            self.absent[symbol] = str(error)[:300]
        except BarsmithError as error:
            self.failed[symbol] = str(error)[:300]
        finally:
            self.tally.merge(job.tally)
