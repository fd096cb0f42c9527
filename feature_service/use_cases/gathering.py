"""Gathering: the bars and estimations that a block is made of, and what names exactly these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from feature_service.domain.blocks import BEGINNING, HOLE, OWN, WARM_UP_BARS, Month, Splits
from feature_service.domain.catalogue import FeatureSet
from feature_service.domain.feature import Fit
from feature_service.domain.records import Read
from feature_service.store import BAR_COLUMNS, PinnedBars, Store
from shared.contracts.identifiers import fingerprint
from shared.contracts.splits import in_last_shares, splits_among
from shared.storage.lake.frames import content_hash

#: of each context role, the symbols that may play it, the best first
Roles = Mapping[str, Sequence[str]]

#: a symbol without a bar in so many days before a month does not play its role in it
_ALIVE = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Usable bars of one block as traded, and those that its fits see; roles whose symbols have none are absent."""

    before: pl.DataFrame
    bars: pl.DataFrame
    context: dict[str, pl.DataFrame]
    #: splits among before and bars, and among each role's context
    splits: Splits
    #: bars before the month, for fits: own and by role, at least as many as the longest fit sees, each in the shares of
    #: its last day
    past: pl.DataFrame
    past_context: dict[str, pl.DataFrame]
    reads: list[Read]
    #: names exactly the rows of before, bars and context, and the splits among them
    bars_hash: str

    def past_of(self, fit: Fit) -> dict[str, pl.DataFrame]:
        """Return the bars before the month of those roles that `fit` reads."""
        return {role: frame for role, frame in self.past_context.items() if role in fit.roles}


@dataclass
class MonthlyBars:
    """Usable bars by symbol and month, each read once while months are built one after the other."""

    pinned: PinnedBars
    roles: Roles
    kept: dict[tuple[str, Month], pl.DataFrame] = field(default_factory=dict[tuple[str, Month], pl.DataFrame])

    def of(self, symbol: str, month: Month) -> pl.DataFrame:
        name = (symbol, month)
        if name not in self.kept:
            self.kept[name] = self.pinned.usable(symbol, month).select(BAR_COLUMNS)
        return self.kept[name]

    def before(self, symbol: str, month: Month, rows: int, until: datetime) -> tuple[pl.DataFrame, Month]:
        """Return the last `rows` bars before `month` that no hole parts from `until`, and the oldest month that counts.

        Where history is too short, older bars that arrive later would take part too: then the oldest month is
        `BEGINNING`, so that their arrival makes the block outdated. Beyond a hole lies the oldest month: only what
        arrives in between, or makes the hole shorter, would be taken.
        """
        parts, found, oldest, parted = list[pl.DataFrame](), 0, month, False
        for earlier in reversed([one for one in self.pinned.months(symbol) if one < month]):
            if found >= rows or parted:
                break
            part, oldest = self.of(symbol, earlier), earlier
            if part.height:
                parted = until - part["ts"][-1] > HOLE
                until = part["ts"][0]
            if not parted:
                parts.append(part)
                found += part.height
        for name in [one for one in self.kept if one[0] == symbol and one[1] < oldest]:
            del self.kept[name]  # later months reach back no further
        frame = pl.concat(reversed(parts)) if parts else self.of(symbol, month).clear()
        return frame.tail(rows), oldest if found >= rows or parted else BEGINNING

    def gather(self, features: FeatureSet, symbol: str, month: Month) -> Gathered:
        """Return what a block of `symbol` and `month` is made of."""
        rows = max([WARM_UP_BARS, *(fit.rows for fit in features.fits if not fit.of)])
        bars = self.of(symbol, month)
        begins = bars["ts"][0] if bars.height else month.start
        past, oldest = self.before(symbol, month, rows, begins)
        reads = [Read(symbol=symbol, since=str(oldest))]
        now, then = dict[str, pl.DataFrame](), dict[str, pl.DataFrame]()
        chosen = dict[str, str]()
        for role in features.roles if bars.height else ():
            # an eighth day may lie in the month before: whoever appears there or in the month changes the choice
            reads += [Read(symbol=one, since=str(month.previous)) for one in self.roles[role]]
            if (player := self._player(role, month)) is None:
                continue
            needed = max([WARM_UP_BARS, *(fit.rows for fit in features.fits if role in fit.roles)])
            chosen[role] = player
            then[role], since = self.before(player, month, needed, begins)
            reads.append(Read(symbol=player, since=str(since)))
            of_month = self.of(player, month).filter(pl.col("ts") <= bars["ts"][-1])
            now[role] = pl.concat([then[role].tail(WARM_UP_BARS), of_month])
        before = past.tail(WARM_UP_BARS)
        told = {OWN: self.pinned.splits(symbol)} | {role: self.pinned.splits(one) for role, one in chosen.items()}
        met = {OWN: splits_among(pl.concat([before["ts"], bars["ts"]]), told[OWN])} | {
            role: splits_among(frame["ts"], told[role]) for role, frame in now.items()
        }
        splits = {role: found for role, found in met.items() if found.height}
        return Gathered(
            before=before,
            bars=bars,
            context=now,
            splits=splits,
            past=in_last_shares(past, told[OWN]),
            past_context={role: in_last_shares(frame, told[role]) for role, frame in then.items()},
            reads=reads,
            bars_hash=fingerprint(
                "bars_read",
                before=content_hash(before),
                bars=content_hash(bars),
                context={role: [chosen[role], content_hash(frame)] for role, frame in now.items()},
                # only where there are some: the names of all other blocks outlast the knowledge of splits
                **({"splits": {role: _named(found) for role, found in splits.items()}} if splits else {}),
            ),
        )

    def version(self, features: FeatureSet, reads: Sequence[Read], month: Month) -> str:
        """Return what names the files of `reads`, who may play the roles that the set reads, and what parts bars."""
        players = {role: list(self.roles[role]) for role in features.roles}
        return fingerprint("files_read", files=self.pinned.version(reads, month), players=players, hole_days=HOLE.days)

    def _player(self, role: str, month: Month) -> str | None:
        """Return the symbol that plays `role` in `month`, None when there is none.

        The first of the role's that traded in the week before; in the beginning, the first to trade at all. So the
        choice follows from what was known then, and bars that arrive later in the month do not change it.
        """
        began = list[tuple[datetime, int, str]]()
        for place, candidate in enumerate(self.roles[role]):
            older = self.of(candidate, month.previous)
            if older.height and older["ts"][-1] >= month.start - _ALIVE:
                return candidate
            if (now := self.of(candidate, month)).height:
                began.append((now["ts"][0], place, candidate))
        return min(began)[2] if began else None


def monthly_bars(store: Store, roles: Roles, features: FeatureSet, symbol: str) -> MonthlyBars:
    """Return the bars of `symbol`, and of all that may play a role for the set, as they are now."""
    return MonthlyBars(store.bars(symbol, *(one for role in features.roles for one in roles[role])), roles)


def _named(splits: pl.DataFrame) -> list[list[str | float]]:
    return [[day.isoformat(), value] for day, value in splits.select("ex_date", "value").rows()]
