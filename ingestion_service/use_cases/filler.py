"""Filling gaps: ask again first, then make bars up where nobody has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ingestion_service.domain.filling import filled_bars
from ingestion_service.domain.gaps import Gap, Why, gaps
from ingestion_service.domain.requests import FillGaps, IngestBars
from ingestion_service.domain.sources import NotOffered, Refused
from ingestion_service.store.bars import BarStore
from ingestion_service.store.files import FileSource
from ingestion_service.use_cases.intake import Intake
from shared.contracts.kinds import JobKind
from shared.errors import InvalidInput, NotFound
from shared.jobs.context import JobContext
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Connection


@dataclass(frozen=True)
class Filler:
    store: BarStore
    intake: Intake
    queue: Queue

    def submit(self, request: FillGaps) -> int:
        """Enqueue the job. Raises NotFound when the symbol has no bars: there is nothing to fill between."""
        self._check_known(request.symbol)
        return self.queue.submit(
            [
                Submission(
                    kind=JobKind.FILL_GAPS,
                    payload=request.model_dump(mode="json"),
                    unique_key=f"fill {request.model_dump_json()}",
                )
            ]
        )[0]

    def run(self, request: FillGaps, ctx: JobContext) -> dict[str, object]:
        """Ask for every gap again, then fill what is left of them inside regular hours.

        Raises Unavailable and Refused, having filled nothing, when who is asked does not answer: an outage that may
        still be mended is not papered over.
        """
        self._check_known(request.symbol)
        before = self._gap_minutes(request.symbol)
        answers = self.ask_again(request, ctx)
        after = self._gap_minutes(request.symbol)
        ctx.advanced(0.8, f"{request.symbol}: filling {after:,} minutes")
        filled = self.fill(request, ctx.still_mine)
        return {
            "symbol": request.symbol,
            "gap_minutes_before": before,
            "gap_minutes": after,
            **answers,
            "filled": filled,
            "left": after + (self._quiet(request.symbol) if request.no_trade else 0) - filled,
        }

    def fill(self, request: FillGaps, still_mine: Callable[[Connection], None]) -> int:
        """Make bars up for the symbol's gaps and return how many stand there now; asks nobody."""
        missing = self.store.minutes(request.symbol).missing
        wanted = missing.ts_us if request.no_trade else missing.gaps_us()
        bars = self.store.read(self.store.snapshot(request.symbol, None, None))
        made = filled_bars(bars, wanted, request.symbol, request.max_iterations)
        if made.height:
            self.store.filled.add(made, still_mine)
        return made.height

    def drop(self, symbol: str, start: datetime | None, end: datetime | None) -> int:
        """Drop made-up bars and return how many there were."""
        return self.store.filled.drop(symbol, start, end)

    def ask_again(self, request: FillGaps, ctx: JobContext, silent_since: datetime | None = None) -> dict[str, object]:
        """Ask for each month's gaps, from the first to the last of them; bars of others between them stay.

        What was answered without a sound bar is asked in spite of that, but not what a provider (and not a file alone)
        answered so from before `silent_since`.
        """
        months: dict[tuple[str, bool], list[Gap]] = {}
        known = [one for one in self.store.asks.answered_spans(request.symbol) if one.provider != FileSource.name]
        for gap in gaps(self.store.minutes(request.symbol).missing):
            answered = gap.why in (Why.SILENT, Why.REFUSED)
            old = silent_since is not None and gap.start < silent_since
            settled = answered and old and any(one.start <= gap.start < one.end for one in known)
            if gap.why.is_gap and not settled:
                months.setdefault((f"{gap.start:%Y-%m}", answered), []).append(gap)
        new_rows, refusals = 0, list[str]()
        for done, ((month, answered), found) in enumerate(months.items()):
            ctx.advanced(0.8 * done / len(months), f"{request.symbol}: asking again for {month}")
            again = IngestBars(
                symbol=request.symbol,
                start=found[0].start,
                end=found[-1].end,
                provider=request.provider,
                refresh=answered,
            )
            try:
                rows = self.intake.ingest(again, ctx, keep_others=True)["new_rows"]
                new_rows += rows if isinstance(rows, int) else 0
            except Refused:
                raise
            except (NotFound, NotOffered, InvalidInput) as error:
                refusals.append(f"{month}: {error}")
        return {"asked": len(months), "new_rows": new_rows, "refusals": refusals[:20]}

    def _gap_minutes(self, symbol: str) -> int:
        return sum(count for why, count in self.store.facts(symbol).missing.items() if why.is_gap)

    def _quiet(self, symbol: str) -> int:
        return self.store.facts(symbol).missing.get(Why.NO_TRADE, 0)

    def _check_known(self, symbol: str) -> None:
        if not self.store.stocks(symbol):
            raise NotFound(f"there are no bars of {symbol}: ingest or import them first")
