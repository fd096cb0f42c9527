"""Filling gaps: ask again first, then make bars up where nobody has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from ingestion_service.domain.filling import filled_bars
from ingestion_service.domain.gaps import Gap, Why, gaps
from ingestion_service.domain.moments import in_us, moment_at
from ingestion_service.domain.requests import FillGaps, IngestBars
from ingestion_service.domain.sources import NotOffered, Refused
from ingestion_service.domain.spans import Span, by_month
from ingestion_service.store.bars import BarStore
from ingestion_service.store.files import FileSource
from ingestion_service.use_cases.intake import Intake
from shared.contracts.datasets import BARS_1M
from shared.contracts.kinds import JobKind
from shared.contracts.sessions import MINUTE_US, Int64Array
from shared.errors import InvalidInput, NotFound
from shared.jobs.context import JobContext
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Connection

#: so many stored minutes on either side are asked for with a gap, to compare the answer with
_AROUND = 30


@dataclass(frozen=True)
class Filler:
    store: BarStore
    intake: Intake
    queue: Queue

    def submit(self, request: FillGaps) -> int:
        """Enqueue the job.

        Raises NotFound when the symbol has no bars: there is nothing to fill between; InvalidInput when who is to be
        asked is not known or cannot be.
        """
        self._check_known(request.symbol)
        if request.provider is not None:
            self.intake.providers.check(request.provider, request.symbol)
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
        quiet = pl.Series(missing.ts_us[missing.why()[Why.NO_TRADE]]).cast(BARS_1M.schema["ts"])
        # nobody traded then: there was a price, but no volume
        traded = pl.when(pl.col("ts").is_in(quiet.implode())).then(pl.col("volume") * 0).otherwise("volume")
        made = made.with_columns(volume=traded)
        if made.height:
            self.store.filled.add(made, still_mine)
        return made.height

    def drop(self, symbol: str, start: datetime | None, end: datetime | None) -> int:
        """Drop made-up bars and return how many there were."""
        return self.store.filled.drop(symbol, start, end)

    def ask_again(self, request: FillGaps, ctx: JobContext, silent_since: datetime | None = None) -> dict[str, object]:
        """Ask for each month's gaps, from the first to the last of them; bars of others between and around them stay.

        What was answered without a sound bar is asked in spite of that, but not what a provider (and not a file alone)
        answered so from before `silent_since`.
        """
        months: dict[tuple[str, bool], list[Gap]] = {}
        known = [one for one in self.store.asks.answered_spans(request.symbol) if one.provider != FileSource.name]
        minutes = self.store.minutes(request.symbol)
        for gap in gaps(minutes.missing):
            answered = gap.why in (Why.SILENT, Why.REFUSED)
            old = silent_since is not None and gap.start < silent_since
            settled = answered and old and any(one.start <= gap.start < one.end for one in known)
            if gap.why.is_gap and not settled:
                months.setdefault((f"{gap.start:%Y-%m}", answered), []).append(gap)
        new_rows, refusals = 0, list[str]()
        for done, ((month, answered), found) in enumerate(months.items()):
            ctx.advanced(0.8 * done / len(months), f"{request.symbol}: asking again for {month}")
            span = _with_surroundings(Span(found[0].start, found[-1].end), minutes.ts_us)
            again = IngestBars(
                symbol=request.symbol,
                start=span.start,
                end=span.end,
                provider=request.provider,
                refresh=answered,
                keep_others=True,
            )
            try:
                rows = self.intake.ingest(again, ctx)["new_rows"]
                new_rows += rows if isinstance(rows, int) else 0
            except Refused:
                raise
            except (NotFound, NotOffered, InvalidInput) as error:
                refusals.append(f"{month}: {error}")
        return {"asked": len(months), "new_rows": new_rows, "refusals": refusals[:20]}

    def _gap_minutes(self, symbol: str) -> int:
        return self.store.facts(symbol).gap_minutes

    def _quiet(self, symbol: str) -> int:
        return self.store.facts(symbol).missing.get(Why.NO_TRADE, 0)

    def _check_known(self, symbol: str) -> None:
        if not self.store.stocks(symbol):
            raise NotFound(f"there are no bars of {symbol}: ingest or import them first")


def _with_surroundings(asked: Span, stored_us: Int64Array) -> Span:
    """Return `asked` with the stored minutes on either side, inside its months."""
    first, last = np.searchsorted(stored_us, [in_us(asked.start), in_us(asked.end)])
    before, after = stored_us[max(first - _AROUND, 0) : first], stored_us[last : last + _AROUND]
    start = moment_at(before[0]) if len(before) else asked.start
    end = moment_at(after[-1] + MINUTE_US) if len(after) else asked.end
    months = [month for month in by_month([Span(start, end)]) if month.end > asked.start and month.start < asked.end]
    return Span(months[0].start, months[-1].end)
