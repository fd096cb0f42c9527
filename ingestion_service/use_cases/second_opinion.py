"""Asking a second provider about bars that look like spikes.

1. Only when an answer holds such bars, or shows that stored ones are, a second provider is asked: one question, from
   the first to the last of them, with the patience of any other. It is counted in the job's tally.
2. Who is asked: the providers after the giver in the job's line, in order, until one has bars of the span.
3. Where that one agrees (`domain.comparing.agreeing`) the bar is stored and recorded as released by it, so that nobody
   suspects it again. Where it gives the minute otherwise, or has none, the bar is refused, and the quarantine says what
   the other one said.

A second provider that is silent or refuses never fails the job: the bars are refused, as without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from ingestion_service.domain.comparing import agreeing
from ingestion_service.domain.releases import VALUES, forgiven
from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.domain.spans import Span, span_of
from ingestion_service.domain.validation import Reason, Screened, screen
from ingestion_service.use_cases.asking import Asking
from ingestion_service.use_cases.tally import Tally
from shared.errors import InvalidInput, Unavailable


class Heard(NamedTuple):
    """What became of rows; `confirmed` are those a second provider saved, columns of a Release without its time."""

    screened: Screened
    confirmed: pl.DataFrame | None = None


@dataclass(frozen=True)
class SecondOpinion:
    """For one job. `silent` are the providers that are not waited for again in it."""

    asking: Asking
    tally: Tally
    silent: dict[str, Unavailable]

    def on(self, screened: Screened, symbol: str, giver: str, sources: Sequence[MarketDataSource]) -> Heard:
        """Ask about the spikes of what `giver`, one of `sources`, answered."""
        spikes = _spikes(screened)
        names = [source.name for source in sources]
        others = sources[names.index(giver) + 1 :]
        if spikes.is_empty() or not others:
            return Heard(screened)
        silence, near = list[str](), span_of(spikes["ts"])
        span = Span(near.start, near.end + timedelta(minutes=1))
        for other in others:
            try:
                theirs = self._asked(other, symbol, span)
            except (InvalidInput, Unavailable) as error:
                silence.append(f"{other.name}: {str(error)[:200]}")
                if isinstance(error, Unavailable):
                    self.silent[other.name] = error
                continue
            if theirs.height:
                return self._judged(screened, spikes, theirs, other.name)
            silence.append(f"{other.name} has no bars of these minutes")
        return Heard(_told(screened, spikes.select("ts", told=pl.lit("; ".join(silence)))))

    def _asked(self, other: MarketDataSource, symbol: str, span: Span) -> pl.DataFrame:
        """Return the well-formed bars of `other`, the spikes among them too: two that agree are no spike."""
        if other.name in self.silent:
            raise self.silent[other.name]
        within = Span(max(span.start, other.earliest()), span.end)
        if within.start >= within.end:
            raise InvalidInput(f"has no minutes from before {within.start:%Y-%m-%d}")
        self.tally.second_opinions += 1
        answer = self.asking.put(other, lambda: other.bars(symbol, within.start, within.end))
        found = screen(answer.result(), symbol, other.name)
        return pl.concat([found.bars, _spikes(found).select(found.bars.columns)]).unique("ts", keep="last")

    def _judged(self, screened: Screened, spikes: pl.DataFrame, theirs: pl.DataFrame, other: str) -> Heard:
        good = agreeing(spikes, theirs).unique("ts", keep="last", maintain_order=True)
        told = spikes.join(theirs, on="ts", how="left", suffix="_other").select(
            "ts",
            told=pl.when(pl.col("high_other").is_null())
            .then(pl.lit(f"{other} has no bar of this minute"))
            .otherwise(pl.format(f"{other} says high {{}}, low {{}}", "high_other", "low_other")),
        )
        self.tally.confirmed += good.height
        saved = forgiven(screened, good.select(VALUES))
        refused = _told(saved, told)
        if good.is_empty():
            return Heard(refused)
        noted = good.join(told.unique("ts"), on="ts").select(
            *VALUES, "source", "reason", released_by=pl.lit(other), why=pl.lit("agrees: ") + pl.col("told")
        )
        return Heard(refused, noted)


def _spikes(screened: Screened) -> pl.DataFrame:
    """Return the refused rows and the withdrawn bars that are spikes."""
    both = pl.concat([screened.refused, screened.withdrawn])
    return both.filter(pl.col("reason") == Reason.SPIKE.value)


def _told(screened: Screened, told: pl.DataFrame) -> Screened:
    """Return it with what others said (ts, told) beside the spikes, which the quarantine keeps."""

    def noted(rows: pl.DataFrame) -> pl.DataFrame:
        beside = rows.join(told.unique("ts"), on="ts", how="left", maintain_order="left")
        spike = pl.col("reason") == Reason.SPIKE.value
        return beside.with_columns(said=pl.when(spike).then(pl.coalesce("said", "told")).otherwise("said")).drop("told")

    return replace(screened, refused=noted(screened.refused), withdrawn=noted(screened.withdrawn))
