"""Checking stored bars against a second provider."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ingestion_service.domain.comparing import compare
from ingestion_service.domain.releases import without
from ingestion_service.domain.requests import CompareBars
from ingestion_service.domain.spans import Span, by_month
from ingestion_service.domain.validation import Reason, screen
from ingestion_service.store.bars import BarStore
from ingestion_service.store.providers import Providers
from shared.clock import Clock
from shared.contracts.kinds import JobKind
from shared.errors import NotFound
from shared.jobs.context import JobContext
from shared.jobs.model import Submission
from shared.jobs.queue import Queue


@dataclass(frozen=True)
class Comparing:
    store: BarStore
    providers: Providers
    queue: Queue
    clock: Clock

    def submit(self, request: CompareBars) -> int:
        """Enqueue the job. Raises InvalidInput when the provider cannot be asked, NotFound without stored bars."""
        self.providers.check(request.provider, request.symbol)
        if not self.store.stocks(request.symbol):
            raise NotFound(f"there are no bars of {request.symbol} to compare: ingest or import them first")
        return self.queue.submit(
            [
                Submission(
                    kind=JobKind.COMPARE_BARS,
                    payload=request.model_dump(mode="json"),
                    unique_key=f"compare {request.model_dump_json()}",
                )
            ]
        )[0]

    def run(self, request: CompareBars, ctx: JobContext) -> dict[str, object]:
        """Ask the provider month by month; a stored bar it contradicts is quarantined and its own bar stored instead.

        Bars the provider itself gave are not compared with it. Raises what the provider raises.
        """
        (source, *_) = self.providers.line(request.provider, request.symbol).sources
        months = by_month([Span(request.start_utc, request.end_utc)])
        minutes = agreed = contradicted = 0
        worst = 0.0
        for done, month in enumerate(months):
            ctx.advanced(done / len(months), f"{request.symbol} {month.month}: {contradicted} contradicted so far")
            ours = self.store.read(self.store.snapshot(request.symbol, month.start, month.end))
            ours = ours.filter(pl.col("source") != source.name)
            ours = without(ours, self.store.releases.rows(request.symbol, month))  # known to be good
            if ours.is_empty():
                continue
            theirs = screen(source.bars(request.symbol, month.start, month.end), request.symbol, source.name)
            found = compare(ours, theirs.bars)
            minutes, agreed, worst = minutes + found.minutes, agreed + found.agreed, max(worst, found.worst)
            contradicted += len(found.contradicted)
            self._replace(ours, theirs.bars, found.contradicted, ctx)
        return {
            "symbol": request.symbol,
            "provider": source.name,
            "minutes": minutes,
            "agreed": agreed,
            "worst_difference": worst,
            "contradicted": contradicted,
        }

    def _replace(self, ours: pl.DataFrame, theirs: pl.DataFrame, wrong: pl.Series, ctx: JobContext) -> None:
        if wrong.is_empty():
            return
        bars = ours.filter(pl.col("ts").is_in(wrong.implode()))
        refused = bars.with_columns(said=pl.lit(None, pl.String), reason=pl.lit(Reason.CONTRADICTED.value))
        better = theirs.filter(pl.col("ts").is_in(wrong.implode()))
        self.store.exchange(refused, better, self.clock.now(), ctx.still_mine)
