"""The backfill agent: what the watchlist lacks, by symbol and month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from ingestion_service.domain.agents import RetentionRules
from ingestion_service.domain.requests import IngestBars
from ingestion_service.domain.spans import Span, by_month
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases.agents import Ended, Run
from ingestion_service.use_cases.intake import Intake
from ingestion_service.use_cases.tries import Tries
from shared.clock import Clock
from shared.contracts.datasets import BARS_1M
from shared.contracts.messages import midnight


@dataclass(frozen=True)
class Backfill:
    """Asks for each month of each watched symbol that has not been answered; a month is one chunk."""

    store: BarStore
    intake: Intake
    clock: Clock

    def run(self, run: Run) -> Ended:
        """Fetch what is missing. Halted or killed, the next run goes on with the chunk this one had not finished.

        Raises Refused when the credentials are, Unavailable when providers do not answer at all.
        """
        chunks = self._chunks(run)
        new_rows, tries = 0, Tries(run)
        for done, (symbol, month) in enumerate(chunks):
            if not run.goes_on(done / len(chunks), f"{symbol} {month.month}: chunk {done + 1:,} of {len(chunks):,}"):
                return self._ended(done, len(chunks), new_rows, tries.failed)
            with tries.of(symbol):
                new_rows += self._take(symbol, month, run)
        return self._ended(len(chunks), len(chunks), new_rows, tries.failed)

    def _chunks(self, run: Run) -> list[tuple[str, Span]]:
        now = self.clock.now().replace(second=0, microsecond=0)
        kept_days = RetentionRules.model_validate(run.store.options("retention")).datasets.get(BARS_1M.name)
        # what retention takes away is not brought back
        oldest = now - timedelta(days=kept_days) if kept_days else midnight(date.min)
        return [
            (one.symbol, month)
            for one in run.store.watched()
            for since in [max(midnight(one.since), oldest)]
            if since < now
            for names in [self.intake.providers.line(None, one.symbol).names]
            for month in by_month(self.store.asks.missing_spans(one.symbol, names, Span(since, now)))
        ]

    def _take(self, symbol: str, month: Span, run: Run) -> int:
        request = IngestBars(symbol=symbol, start=month.start, end=month.end, keep_others=True)
        done = self.intake.ingest(request, run.quietly())
        rows = done["new_rows"]
        return rows if isinstance(rows, int) else 0

    def _ended(self, done: int, chunks: int, new_rows: int, failed: dict[str, str]) -> Ended:
        return Ended({"chunks": chunks, "done": done, "new_rows": new_rows, "failed": failed})
