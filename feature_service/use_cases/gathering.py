"""Gathering: the bars and estimations that a block is made of, and what names exactly these."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from feature_service.domain.blocks import BEGINNING, WARM_UP_BARS, Month
from feature_service.domain.catalogue import FeatureSet
from feature_service.domain.feature import ROLES, Fit
from feature_service.domain.records import Read
from feature_service.store import BAR_COLUMNS, PinnedBars
from shared.contracts.identifiers import fingerprint
from shared.storage.lake.frames import content_hash


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Usable bars of one block, and those that its fits see; roles whose symbols have none are absent."""

    before: pl.DataFrame
    bars: pl.DataFrame
    context: dict[str, pl.DataFrame]
    #: bars before the month, for fits: own and by role, at least as many as the longest fit sees
    past: pl.DataFrame
    past_context: dict[str, pl.DataFrame]
    reads: list[Read]
    #: names exactly the rows of before, bars and context
    bars_hash: str

    def past_of(self, fit: Fit) -> dict[str, pl.DataFrame]:
        """Return the bars before the month of those roles that `fit` reads."""
        return {role: frame for role, frame in self.past_context.items() if role in fit.context}


@dataclass
class MonthlyBars:
    """Usable bars by symbol and month, each read once while months are built one after the other."""

    pinned: PinnedBars
    kept: dict[tuple[str, Month], pl.DataFrame] = field(default_factory=dict[tuple[str, Month], pl.DataFrame])

    def of(self, symbol: str, month: Month) -> pl.DataFrame:
        name = (symbol, month)
        if name not in self.kept:
            self.kept[name] = self.pinned.usable(symbol, month).select(BAR_COLUMNS)
        return self.kept[name]

    def before(self, symbol: str, month: Month, rows: int) -> tuple[pl.DataFrame, Month]:
        """Return the last `rows` bars before `month`, and the oldest month that takes part.

        Where history is too short, older bars that arrive later would take part too: then the oldest month is
        `BEGINNING`, so that their arrival makes the block outdated.
        """
        parts, found, oldest = list[pl.DataFrame](), 0, month
        for earlier in reversed([one for one in self.pinned.months(symbol) if one < month]):
            if found >= rows:
                break
            parts.append(self.of(symbol, earlier))
            found, oldest = found + parts[-1].height, earlier
        for name in [one for one in self.kept if one[0] == symbol and one[1] < oldest]:
            del self.kept[name]  # later months reach back no further
        frame = pl.concat(reversed(parts)) if parts else self.of(symbol, month).clear()
        return frame.tail(rows), oldest if found >= rows else BEGINNING

    def gather(self, features: FeatureSet, symbol: str, month: Month) -> Gathered:
        """Return what a block of `symbol` and `month` is made of."""
        rows = max([WARM_UP_BARS, *(fit.rows for fit in features.fits)])
        bars = self.of(symbol, month)
        past, oldest = self.before(symbol, month, rows)
        reads = [Read(symbol=symbol, since=str(oldest))]
        now, then = dict[str, pl.DataFrame](), dict[str, pl.DataFrame]()
        chosen = dict[str, str]()
        for role in features.roles if bars.height else ():
            for candidate in ROLES[role]:
                older, since = self.before(candidate, month, rows)
                reads.append(Read(symbol=candidate, since=str(since)))
                of_month = self.of(candidate, month).filter(pl.col("ts") <= bars["ts"][-1])
                if older.height + of_month.height:
                    chosen[role], then[role] = candidate, older
                    now[role] = pl.concat([older.tail(WARM_UP_BARS), of_month])
                    break
        before = past.tail(WARM_UP_BARS)
        return Gathered(
            before=before,
            bars=bars,
            context=now,
            past=past,
            past_context=then,
            reads=reads,
            bars_hash=fingerprint(
                "bars_read",
                before=content_hash(before),
                bars=content_hash(bars),
                context={role: [chosen[role], content_hash(frame)] for role, frame in now.items()},
            ),
        )
