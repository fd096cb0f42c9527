"""Asking a line of providers for one symbol's bars, month by month, until one has them.

1. A month is asked for only where no provider of the line has given bars, and not all of them have answered.
2. The providers are asked in order. One that has nothing there, or does not answer, hands over to the next.
   An answer without a bar is believed, and nobody else asked, where the market was closed, or where that provider has
   bars of the symbol close by: then nobody traded.
3. The bars and the note that the provider answered are stored in one transaction. A job that was killed goes on with
   the month it had not finished.
4. While a month is stored, whoever gave it is already asked for the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import polars as pl

from ingestion_service.domain.comparing import factor_between
from ingestion_service.domain.moments import DAY_US, in_us
from ingestion_service.domain.requests import IngestBars
from ingestion_service.domain.sources import MarketDataSource, NotOffered, Refused
from ingestion_service.domain.spans import SETTLE, Settled, Span, by_month, happened, minus
from ingestion_service.domain.symbols import crypto_pair
from ingestion_service.store.bars import BarStore
from ingestion_service.store.providers import Line
from ingestion_service.use_cases.asking import Asking
from ingestion_service.use_cases.second_opinion import SecondOpinion
from ingestion_service.use_cases.tally import Answers, Tally, all_said
from shared.contracts.sessions import sessions_between
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.jobs.context import JobContext

#: A provider with bars of the symbol this close to a span knows the symbol: what it does not have, nobody traded.
_CLOSE_BY = timedelta(days=35)

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (Refused, "refused"),
    (NotOffered, "not_offered"),
    (InvalidInput, "bad"),
    (Unavailable, "unavailable"),
)


@dataclass(frozen=True)
class _Question:
    """What was asked of `source`: `settled` will not change any more, None when all of `span` is too new."""

    source: MarketDataSource
    span: Span
    settled: Span | None
    answer: Future[pl.DataFrame]


class NotStored(Unavailable):
    """What a provider answered could not be stored."""


@dataclass
class Fetch:
    """One job of fetching. `now` is the clock's."""

    store: BarStore
    now: Callable[[], datetime]
    line: Line
    request: IngestBars
    ctx: JobContext
    asking: Asking
    tally: Tally = field(default_factory=Tally)
    answers: dict[str, Answers] = field(default_factory=dict)
    #: who was silent in this job, and is not waited for again
    silent: dict[str, Unavailable] = field(default_factory=dict)
    #: the month after the one that is being taken, and the question that was put for it already
    _next: Span | None = None
    _ahead: _Question | None = None

    def run(self) -> dict[str, object]:
        """Fetch, check and store what is missing of the request and has happened.

        Raises NotFound when nobody has bars, Refused at once when credentials are, Unavailable and InvalidInput when a
        span stayed open because somebody was silent or answered nonsense; each says who was asked and what they said.
        """
        self.answers = {name: Answers() for name in self.line.names}
        request = self.request
        asked = happened(Span(request.start_utc, request.end_utc), self.now(), request.symbol)
        months = by_month(
            [asked] if request.refresh else self.store.asks.missing_spans(request.symbol, self.line.names, asked)
        )
        for done, month in enumerate(months):
            self.ctx.advanced(done / len(months), f"{request.symbol} {month.month}: {self.tally.stored:,} bars so far")
            self._next = months[done + 1] if done + 1 < len(months) else None
            self._take_month(month)
        self._check_found(asked)
        givers = [name for name, answer in self.answers.items() if answer.with_bars]
        return {
            **asdict(self.tally),
            "symbol": request.symbol,
            "provider": ",".join(givers or self.line.names),
            "providers": {name: answer.said() for name, answer in self.answers.items()}
            | {name: f"passed over: {why}" for name, why in self.line.passed_over.items()},
            "months": len(months),
            "until": asked.end.isoformat(),
            "reused": not months,
        }

    def _take_month(self, month: Span) -> None:
        left, errors = [month], list[Exception]()
        for source in self.line.sources:
            left = [rest for piece in left for rest in self._asked(source, piece, errors)]
            if not left:
                return
        open_errors = [error for error in errors if not isinstance(error, NotOffered)]
        if open_errors:
            said = all_said(self.answers, self.line.passed_over)
            kind = Unavailable if any(isinstance(error, Unavailable) for error in open_errors) else InvalidInput
            raise kind(
                str(open_errors[0])
                if len(self.line.sources) == 1
                else f"{self.request.symbol} {month.month} is still open. {said}"
            ) from open_errors[0]

    def _asked(self, source: MarketDataSource, piece: Span, errors: list[Exception]) -> list[Span]:
        """Ask `source` for what it has not answered of `piece`; return what the next one is to be asked for."""
        if source.name in self.silent:
            errors.append(self.silent[source.name])
            return [piece]
        taken: list[Span] = []
        for part in self._unanswered(source, piece):
            within = _within_reach(source, part)
            if within.start >= within.end:
                self.answers[source.name].refusals.append(f"has no minutes from before {within.start:%Y-%m-%d}")
                continue
            try:
                if self._take(source, within):
                    taken.append(within)
            except (InvalidInput, Unavailable) as error:
                self._note(source, within, error)
                errors.append(error)
                if isinstance(error, Unavailable):
                    break
        return minus(piece, taken)

    def _note(self, source: MarketDataSource, span: Span, error: InvalidInput | Unavailable) -> None:
        """Keep why `source` did not answer. Raises what no other provider helps against."""
        if isinstance(error, NotStored):
            raise error
        kind = next(name for type_, name in _KINDS if isinstance(error, type_))
        self.store.asks.record_failure(self.request.symbol, source.name, span, kind=kind, reason=str(error))
        if isinstance(error, Refused):
            raise error
        self.answers[source.name].refusals.append(str(error))
        if isinstance(error, Unavailable):
            self.silent[source.name] = error
            self.line.fell_silent(source.name)

    def _unanswered(self, source: MarketDataSource, piece: Span) -> list[Span]:
        if self.request.refresh:
            return [piece]
        return self.store.asks.missing_spans(self.request.symbol, [source.name], piece)

    def _put(self, source: MarketDataSource, span: Span) -> _Question:
        settled_until = min(span.end, self.now() - SETTLE)  # read before asking: what comes later is not in it
        settled = Span(span.start, settled_until) if settled_until > span.start else None
        answer = self.asking.put(source, lambda: source.bars(self.request.symbol, span.start, span.end))
        return _Question(source, span, settled, answer)

    def _put_ahead(self, source: MarketDataSource) -> _Question | None:
        """Ask `source` for the whole of the next month, where that is what it will be asked for."""
        if self._next is None or source is not self.line.sources[0]:
            return None
        within = _within_reach(source, self._next)
        return self._put(source, within) if self._unanswered(source, self._next) == [within] else None

    def _take(self, source: MarketDataSource, span: Span) -> bool:
        """Ask `source` for `span` and store its answer. Return whether nobody else needs to be asked."""
        said, ahead = self.answers[source.name], self._ahead
        matches = ahead is not None and ahead.source is source and ahead.span == span
        question = ahead if ahead is not None and matches else self._put(source, span)
        raw = question.answer.result()
        final = not raw.is_empty() or self._believed(source, span)
        self._ahead = self._put_ahead(source) if raw.height else None
        self._keep(self._fitting(raw, source, span), source, span, question.settled, final=final)
        if raw.is_empty():
            said.empty += 1
        else:
            said.with_bars += 1
        return final

    def _keep(
        self, raw: pl.DataFrame, source: MarketDataSource, span: Span, settled: Span | None, *, final: bool
    ) -> None:
        symbol = self.request.symbol
        judged = self.store.judged({symbol: raw}, source.name, span)[symbol]
        second = SecondOpinion(self.asking, self.tally, self.silent)
        screened, confirmed = second.on(judged, symbol, source.name, self.line.sources)
        if screened.rows and screened.bars.is_empty():
            self.store.quarantine.add(screened.refused, self.now(), self.ctx.still_mine)
            raise InvalidInput(
                f"{source.name} answered {symbol} {span.month} with {screened.rows} rows, all of them bad: "
                f"{screened.why()}. GET /quarantine?symbol={symbol} shows them; name another provider, "
                "or ask again later"
            )
        try:
            commit = self.store.save(
                screened,
                symbol,
                source.name,
                Settled([settled] if settled else [], empty=not final),
                self.now(),
                self.ctx.still_mine,
                confirmed=confirmed,
            )
        except Unavailable as error:
            raise NotStored(f"{error}; what was stored before {span.month} is kept") from error
        self.tally.add(screened, where=f"{symbol} {span.month}")
        self.tally.count(commit)
        self.answers[source.name].bars += screened.bars.height

    def _fitting(self, raw: pl.DataFrame, source: MarketDataSource, span: Span) -> pl.DataFrame:
        """Return the rows to take; with keep_others those of minutes that have no bar of others.

        Raises InvalidInput when they stand on another level than bars of others next to them, unless a refresh puts
        the whole span anew: one series is not made of both.
        """
        symbol, keep_others = self.request.symbol, self.request.keep_others
        if self.request.refresh and not keep_others:
            return raw
        stored = self.store.read(self.store.snapshot(symbol, span.start, span.end))
        others = stored.filter(pl.col("source") != source.name)
        theirs = pl.col("ts").dt.truncate("1m").is_in(others["ts"].implode()).fill_null(value=False)
        taken = raw.filter(~theirs) if keep_others else raw
        if taken.height and (factor := factor_between(others, raw)) is not None:
            raise InvalidInput(
                f"{source.name} gives {symbol} in {span.month} at {factor:.4f} times what is stored of it from "
                f"{', '.join(sorted(others['source'].unique()))}: adjusted otherwise, or another asset. Nothing was "
                "taken; ask for the whole span with refresh=true to have it from one provider"
            )
        return taken

    def _believed(self, source: MarketDataSource, span: Span) -> bool:
        """Whether an answer without a bar means that nobody traded, not that this provider does not know."""
        symbol = self.request.symbol
        if len(self.line.sources) == 1:
            return False
        if not crypto_pair(symbol) and _closed(span):
            return True
        return any(
            known.provider == source.name
            and not known.empty
            and known.start < span.end + _CLOSE_BY
            and known.end > span.start - _CLOSE_BY
            for known in self.store.asks.answered_spans(symbol)
        )

    def _check_found(self, asked: Span) -> None:
        if self.tally.rows or self._nothing_is_an_answer(asked):
            return
        names = list(self.line.names)
        who = names[0] + " has" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} have"
        span = f"{asked.start:%Y-%m-%d} to {asked.end:%Y-%m-%d}"
        said = all_said(self.answers, self.line.passed_over) if self._spoken() else "that was answered before"
        raise NotFound(
            f"{who} no bars of {self.request.symbol} from {span}: {said}. "
            "Check the symbol; ask again with refresh=true if it should have some by now"
        )

    def _spoken(self) -> set[str]:
        return {name for name, said in self.answers.items() if said.with_bars or said.empty or said.refusals}

    def _nothing_is_an_answer(self, asked: Span) -> bool:
        """Whether nobody trades then, bars of it are stored, or who answered without a bar has given some of it."""
        symbol = self.request.symbol
        if not self.store.stocks(symbol):
            return False
        if (not crypto_pair(symbol) and _closed(asked)) or self.store.snapshot(symbol, asked.start, asked.end).files:
            return True
        known = self.store.asks.answered_spans(symbol)
        answered = {name for name, said in self.answers.items() if said.with_bars or said.empty}
        answered |= {one.provider for one in known if one.start < asked.end and one.end > asked.start}
        return not answered.isdisjoint(one.provider for one in known if not one.empty)


def _within_reach(source: MarketDataSource, span: Span) -> Span:
    return Span(max(span.start, source.earliest()), span.end)


def _closed(span: Span) -> bool:
    """Whether no regular session has a minute in `span`."""
    start, end = in_us(span.start), in_us(span.end)
    near = sessions_between(start - DAY_US, end)
    return not bool(((near.open_us < end) & (near.close_us > start)).any())
