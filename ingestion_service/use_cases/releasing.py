"""Taking rows out of the quarantine that a user judged good."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from ingestion_service.domain.days import MARK
from ingestion_service.domain.releases import VALUES, among, without
from ingestion_service.domain.validation import Reason, flaws
from ingestion_service.store.bars import BarStore
from ingestion_service.store.releases import Release
from shared.clock import Clock
from shared.errors import Conflict, InvalidInput, NotFound

#: rows named in a message
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which refused rows: those that meet all of what is given. `reason` is a part of the reason; [start, end)."""

    ids: Collection[str] = ()
    minutes: Collection[datetime] = ()
    reason: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def among(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the chosen ones of `rows` (QUARANTINE). Raises NotFound for an id or a minute that none has."""
        for name, wanted, known in (("id", self.ids, rows["id"]), ("ts", self.minutes, rows["ts"])):
            if strange := sorted(set(wanted) - set(known)):
                raise NotFound(f"no refused row has {name} {', '.join(str(one) for one in strange[:_NAMED])}")
            if wanted:
                rows = rows.filter(pl.col(name).is_in(list(wanted)))
        if self.reason:
            rows = rows.filter(pl.col("reason").str.contains(self.reason, literal=True))
        if self.start is not None:
            rows = rows.filter(pl.col("ts") >= self.start)
        return rows if self.end is None else rows.filter(pl.col("ts") < self.end)


@dataclass(frozen=True, kw_only=True)
class Released:
    """What a release did. `already`: rows that had been released before; `displaced`: bars that gave way."""

    symbol: str
    released: int
    already: int
    displaced: int


class Releasing:
    """Stores chosen refused rows as bars that are not suspected again (domain/releases.py)."""

    def __init__(self, store: BarStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def all(self, symbol: str | None) -> list[Release]:
        """Return what was released, of one symbol or of all, in order of symbol and minute."""
        return self._store.releases.all(symbol)

    def newest(self, symbol: str | None) -> list[Release]:
        """Return the same, what was released last first."""
        return sorted(self.all(symbol), key=lambda one: one.released_at, reverse=True)

    def releasable(self, symbol: str, reason: str | None) -> list[str]:
        """Return the ids of a symbol's refused rows that can be bars; `reason` is a part of theirs."""
        rows = Chosen(reason=reason).among(self._store.quarantine.read(symbol))
        return _with_flaws(rows, self._clock.now()).filter(pl.col("flaw").is_null())["id"].to_list()

    def release_all(
        self, symbol: str, reason: str | None, rows: int, *, by: str, why: str, replace: bool = False
    ) -> Released:
        """Do `release` for the `rows` that are `releasable`.

        Raises Conflict when there are more or fewer by now: nobody looked at those.
        """
        ids = self.releasable(symbol, reason)
        if not ids or len(ids) != rows:
            raise Conflict(
                f"{len(ids)} such rows of {symbol} can be released by now, not {rows}; nothing was: look at them again"
            )
        return self.release(symbol, Chosen(ids=ids), by=by, why=why, replace=replace)

    def release(self, symbol: str, chosen: Chosen, *, by: str, why: str, replace: bool = False) -> Released:
        """Store the chosen rows, all or none, and record who released them and why; again, it changes nothing.

        Raises
        ------
        NotFound
            There are no such rows.
        InvalidInput
            One of them can never be a bar, or two are of the same minute.
        Conflict
            A minute has another bar by now, and it is not to be replaced.
        """
        rows = chosen.among(self._store.quarantine.every(symbol))
        if rows.is_empty():
            raise NotFound(f"no refused row of {symbol} is like that: GET /quarantine?symbol={symbol} lists them")
        _check_bars(symbol, rows, self._clock.now())
        rows = rows.unique(VALUES, maintain_order=True)
        known, in_the_way = self._store.releases.rows(symbol), self._store.in_the_way(rows)
        new, old = without(rows, known), among(rows, known)
        if replace:  # a released row that gave way to a later one since
            new = pl.concat([new, old.join(in_the_way, on="ts", how="semi")])
        _check_one_a_minute(symbol, new)
        if new.is_empty():
            return Released(symbol=symbol, released=0, already=old.height, displaced=0)
        in_the_way = in_the_way.join(new, on="ts", how="semi")
        if in_the_way.height and not replace:
            raise Conflict(
                f"{in_the_way.height} of these minutes of {symbol} have another bar by now: {_named(in_the_way)}. "
                "Say replace=true to put the refused rows in their place"
            )
        noted = new.with_columns(released_by=pl.lit(by), why=pl.lit(why))
        self._store.release(noted, in_the_way, self._clock.now())
        return Released(
            symbol=symbol, released=new.height, already=rows.height - new.height, displaced=in_the_way.height
        )


def _with_flaws(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return the rows with why each can never be a bar of a minute, null where it can, as `flaw`."""
    early = pl.when(pl.col("ts") + pl.duration(minutes=1) > now).then(pl.lit(Reason.NOT_OVER.value))
    daily = pl.when(pl.col("source").str.ends_with(MARK)).then(pl.lit("a daily bar, and bars of minutes are released"))
    return rows.with_columns(flaw=pl.coalesce(flaws(rows), daily, early))


def _check_bars(symbol: str, rows: pl.DataFrame, now: datetime) -> None:
    bad = _with_flaws(rows, now).filter(pl.col("flaw").is_not_null())
    if bad.height:
        said = "; ".join(f"{row['id']} ({_shown(row)}): {row['flaw']}" for row in bad.head(_NAMED).to_dicts())
        raise InvalidInput(
            f"{bad.height} of {rows.height} chosen rows of {symbol} cannot be bars, nothing was released: {said}. "
            "Choose the others, by id or by reason"
        )


def _check_one_a_minute(symbol: str, rows: pl.DataFrame) -> None:
    twice = rows.filter(pl.col("ts").is_duplicated()).sort("ts")
    if twice.height:
        minute = twice.filter(pl.col("ts") == twice["ts"][0])
        raise InvalidInput(
            f"{minute.height} of the chosen rows of {symbol} are of the minute {minute['ts'][0]:%Y-%m-%d %H:%M}, "
            f"nothing was released: choose one of {', '.join(minute['id'])}"
        )


def _named(bars: pl.DataFrame) -> str:
    return "; ".join(f"{_shown(row)} of {row['source']}" for row in bars.head(_NAMED).to_dicts())


def _shown(row: dict[str, object]) -> str:
    values = ", ".join(f"{name} {row[name]}" for name in ("open", "high", "low", "close", "volume"))
    return f"{row['ts']:%Y-%m-%d %H:%M:%S} {values}" if row["ts"] else f"no time, {values}"
