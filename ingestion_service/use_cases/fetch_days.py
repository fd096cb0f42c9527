"""Asking a line of providers for one symbol's daily bars: decades are one question.

1. Only finished days that no provider of the line has answered are asked for.
2. The providers are asked in order. One that knows no daily bars, has none there, or does not answer, hands over to
   the next. An answer without a bar is believed of a symbol whose daily bars are stored: it did not trade yet.
3. The bars and the note that the provider answered are stored in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime

from ingestion_service.domain.days import Days, any_session, finished
from ingestion_service.domain.requests import IngestBars
from ingestion_service.domain.sources import KnowsDays, NotOffered, Refused
from ingestion_service.domain.spans import Span
from ingestion_service.domain.validation import screen_days
from ingestion_service.store.bars import BarStore
from ingestion_service.store.providers import Line
from ingestion_service.use_cases.asking import Asking
from ingestion_service.use_cases.tally import Answers, Tally, all_said
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.jobs.context import JobContext


@dataclass
class FetchDays:
    """One job of fetching daily bars. `now` is the clock's."""

    store: BarStore
    now: Callable[[], datetime]
    line: Line
    request: IngestBars
    ctx: JobContext
    asking: Asking
    tally: Tally = field(default_factory=Tally)
    answers: dict[str, Answers] = field(default_factory=dict)

    def run(self) -> dict[str, object]:
        """Fetch, check and store the missing days of the request.

        Raises Refused at once when credentials are; else, when nobody has some of the days, Unavailable if somebody was
        silent, InvalidInput if an answer was nonsense, NotFound if not; each says who was asked and what they said.
        """
        self.answers = {name: Answers() for name in self.line.names}
        request = self.request
        asked = finished(request.symbol, Span(request.start_utc, request.end_utc), self.now())
        open_days = [asked] if request.refresh else self.store.days.missing(request.symbol, self.line.names, asked)
        open_days = [days for days in open_days if any_session(request.symbol, days)]
        for done, days in enumerate(open_days):
            self.ctx.advanced(done / len(open_days), f"{request.symbol} days from {days.start}")
            self._take(days)
        givers = [name for name, answer in self.answers.items() if answer.with_bars]
        return {
            **asdict(self.tally),
            "symbol": request.symbol,
            "provider": ",".join(givers or self.line.names),
            "providers": {name: answer.said() for name, answer in self.answers.items()}
            | {name: f"passed over: {why}" for name, why in self.line.passed_over.items()},
            "days": f"{asked.start} to {asked.end}",
            "reused": not open_days,
        }

    def _take(self, days: Days) -> None:
        symbol, errors = self.request.symbol, list[Exception]()
        for source in self.line.sources:
            said = self.answers[source.name]
            if not isinstance(source, KnowsDays):
                said.refusals.append("knows no daily bars")
                continue
            try:
                if self._stored(source, days):
                    return
                said.empty += 1
            except Refused:
                raise
            except (InvalidInput, Unavailable) as error:
                said.refusals.append(str(error))
                errors += [] if isinstance(error, NotOffered) else [error]
        told = (
            f"nobody has daily bars of {symbol} from {days.start} to {days.end}: "
            f"{all_said(self.answers, self.line.passed_over)}"
        )
        if not errors:
            raise NotFound(f"{told}. Check the symbol and the span, or name a provider that knows daily bars: yahoo")
        raise (Unavailable if any(isinstance(error, Unavailable) for error in errors) else InvalidInput)(told)

    def _stored(self, source: KnowsDays, days: Days) -> bool:
        """Ask `source` and store its answer. Return whether nobody else needs to be asked."""
        symbol = self.request.symbol
        raw = self.asking.put(source, lambda: source.days(symbol, days.start, days.end)).result()
        if raw.is_empty() and symbol not in self.store.days.stored():
            return False
        screened = screen_days(raw, symbol, source.name, self.now())
        self.store.quarantine.add(screened.refused, self.now(), self.ctx.still_mine)
        if screened.rows and screened.bars.is_empty():
            raise InvalidInput(
                f"answered with {screened.rows} rows, all of them bad: {screened.why()}. "
                f"GET /quarantine?symbol={symbol} shows them; name another provider, or ask again later"
            )
        commit = self.store.days.save(screened.bars, self.ctx.still_mine, (symbol, source.name, days))
        self.tally.add(screened, where=f"{symbol} from {days.start}")
        self.tally.count(commit)
        said = self.answers[source.name]
        said.bars += screened.bars.height
        said.with_bars, said.empty = said.with_bars + bool(screened.rows), said.empty + (not screened.rows)
        return True
