"""One series out of what is stored: renames joined, fills and adjustments put on, longer bars made, on every read.

Daily and weekly bars of sessions without a stored minute are made of stored daily bars (domain/days.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from ingestion_service.domain.actions import (
    Adjustment,
    Chapter,
    ImpossibleDividend,
    Kind,
    adjusted,
    chapters,
    impossible_dividends,
    with_factors,
)
from ingestion_service.domain.days import days_beside
from ingestion_service.domain.moments import DAY_US
from ingestion_service.domain.timeframes import Timeframe, resampled
from ingestion_service.store.bars import BarStore
from shared.contracts.datasets import BARS_1M
from shared.contracts.identifiers import fingerprint
from shared.contracts.sessions import MINUTE_US, sessions_between
from shared.contracts.splits import EXCHANGE_ZONE, trading_days
from shared.storage.lake import Snapshot

#: Timeframes that stored daily bars are read in.
OF_DAYS = (Timeframe.D1, Timeframe.W1)
#: The close before an ex-date is looked for this far back.
_CLOSE_WITHIN = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which bars: of `symbol` and what it was called before, beginning in [start, end)."""

    symbol: str
    start: datetime | None = None
    end: datetime | None = None
    timeframe: Timeframe = Timeframe.M1
    adjustment: Adjustment = Adjustment.RAW
    #: also the bars made up for gaps
    filled: bool = False
    #: as the lake was at this moment
    as_of: datetime | None = None


@dataclass(frozen=True)
class Series:
    """Rows in the schema of BARS_1M, ascending; `version` names everything they were made from."""

    rows: pl.DataFrame
    version: str


class Reader:
    def __init__(self, store: BarStore) -> None:
        self._store = store

    def names(self, symbol: str, as_of: datetime | None = None) -> list[Chapter]:
        """Return what `symbol` was called, oldest name first."""
        return chapters(symbol, lambda name: self._store.actions.of(name, as_of))

    def read(self, wanted: Wanted) -> Series:
        """Return the series; empty when there are no such bars."""
        names = self.names(wanted.symbol, wanted.as_of)
        parts = [part for part in (_cut(chapter, wanted) for chapter in names) if part is not None]
        snapshots = [self._store.snapshot(part.symbol, part.start, part.end, wanted.as_of) for part in parts]
        fills = [
            self._store.filled.snapshot(part.symbol, part.start, part.end, wanted.as_of)
            for part in parts
            if wanted.filled
        ]
        rows = pl.concat(
            [self._store.read(snapshot) for snapshot in snapshots] or [pl.DataFrame(schema=BARS_1M.schema)]
        )
        if fills:
            made_up = pl.concat([self._store.filled.read(snapshot) for snapshot in fills])
            rows = pl.concat([rows, made_up.join(rows, on=["symbol", "ts"], how="anti")]).sort("ts")
        days = self._days(parts, wanted)
        if days and wanted.timeframe in OF_DAYS:
            stored = pl.concat([self._store.days.read(snapshot) for snapshot in days])
            rows = days_beside(wanted.symbol, stored, rows)
        rows = rows.with_columns(symbol=pl.lit(wanted.symbol)).sort("ts")
        rows = resampled(self._adjusted(rows, names, wanted), wanted.symbol, wanted.timeframe)
        if wanted.end is not None and wanted.timeframe is not Timeframe.M1:
            rows = rows.filter(pl.col("ts") < wanted.end)
        if wanted.start is not None and wanted.timeframe is not Timeframe.M1:
            rows = rows.filter(pl.col("ts") >= wanted.start)
        return Series(rows, self._version(snapshots, fills, days, names, wanted))

    def _days(self, parts: list[Chapter], wanted: Wanted) -> list[Snapshot]:
        """Return the daily bars a read depends on, none where none are stored: its rows, or closes before dividends."""
        if wanted.timeframe not in OF_DAYS and wanted.adjustment is not Adjustment.ALL:
            return []
        found = [self._store.days.snapshot(part.symbol, part.start, part.end, wanted.as_of) for part in parts]
        return [snapshot for snapshot in found if snapshot.files]

    def actions(self, names: list[Chapter], as_of: datetime | None = None) -> pl.DataFrame:
        """Return the actions of a history, each of the name it had on its ex-date; dividends with their factor."""
        return with_factors(*self._with_closes(names, as_of))

    def impossible_dividends(self, names: list[Chapter]) -> list[ImpossibleDividend]:
        """Return the dividends of a history that adjust nothing, for they are not below the close before them."""
        return impossible_dividends(*self._with_closes(names, None))

    def _with_closes(self, names: list[Chapter], as_of: datetime | None) -> tuple[pl.DataFrame, dict[date, float]]:
        """Return the actions of a history, and the close before each dividend that has no factor."""
        found = pl.concat([self._actions_of(chapter, as_of) for chapter in names])
        lacking = found.filter((pl.col("kind") == Kind.DIVIDEND.value) & pl.col("factor").is_null())
        # read once: decades of days have a hundred dividends
        daily = {name: self._daily(name, as_of) for name in lacking["symbol"].unique()}
        closes = {
            day: close
            for symbol, day in lacking.select("symbol", "ex_date").iter_rows()
            if (close := self._close_before(symbol, day, as_of, daily[symbol])) is not None
        }
        return found, closes

    def _actions_of(self, chapter: Chapter, as_of: datetime | None) -> pl.DataFrame:
        actions = self._store.actions.of(chapter.symbol, as_of)
        # at midnight of the ex-date: an action on the day of a rename belongs to the new name
        begins = pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone(EXCHANGE_ZONE)
        begins = begins.dt.convert_time_zone("UTC")
        if chapter.start is not None:
            actions = actions.filter(begins >= chapter.start)
        return actions if chapter.end is None else actions.filter(begins < chapter.end)

    def _adjusted(self, rows: pl.DataFrame, names: list[Chapter], wanted: Wanted) -> pl.DataFrame:
        if wanted.adjustment is Adjustment.RAW or rows.is_empty():
            return rows
        actions = self.actions(names, wanted.as_of)
        return adjusted(rows, trading_days(rows["ts"]), actions, wanted.adjustment)

    def close_before(self, symbol: str, day: date, as_of: datetime | None = None) -> float | None:
        """Return the last raw close of a regular session before `day`, of any bar when none is regular."""
        return self._close_before(symbol, day, as_of, self._daily(symbol, as_of))

    def _daily(self, symbol: str, as_of: datetime | None) -> pl.DataFrame:
        return self._store.days.read(self._store.days.snapshot(symbol, as_of=as_of))

    def _close_before(self, symbol: str, day: date, as_of: datetime | None, daily: pl.DataFrame) -> float | None:
        end = datetime.combine(day, time(), ZoneInfo(EXCHANGE_ZONE)).astimezone(UTC)
        bars = self._store.read(self._store.snapshot(symbol, end - _CLOSE_WITHIN, end, as_of), ["ts", "close"])
        days = daily.filter(pl.col("ts").is_between(end - _CLOSE_WITHIN, end, closed="left"))
        bars = days_beside(symbol, days.select("ts", "close"), bars).sort("ts")
        if bars.is_empty():
            return None
        ts_us = bars["ts"].to_physical().to_numpy()
        sessions = sessions_between(int(ts_us[0]) - DAY_US, int(ts_us[-1]) + MINUTE_US)
        regular = bars.filter(pl.Series(sessions.index_of(ts_us) >= 0))
        return float((regular if regular.height else bars)["close"][-1])

    def _version(
        self,
        snapshots: list[Snapshot],
        fills: list[Snapshot],
        days: list[Snapshot],
        names: list[Chapter],
        wanted: Wanted,
    ) -> str:
        """Return the data version: that of the bars alone where they are shown as they are stored."""
        if len(snapshots) == 1 and not fills and not days and wanted.adjustment is Adjustment.RAW:
            return snapshots[0].version
        actions = [] if wanted.adjustment is Adjustment.RAW else [chapter.symbol for chapter in names]
        return fingerprint(
            "bars",
            bars=[snapshot.version for snapshot in snapshots],
            filled=[snapshot.version for snapshot in fills],
            actions=self._store.actions.version(actions, wanted.as_of) if actions else None,
            adjustment=wanted.adjustment,
            **({"days": [snapshot.version for snapshot in days]} if days else {}),
        )


def _cut(chapter: Chapter, wanted: Wanted) -> Chapter | None:
    """Return the part of a chapter that the wanted span reaches, None when it does not.

    Longer bars that begin before the span's end need the minutes after it.
    """
    end = None if wanted.end is None else wanted.end + wanted.timeframe.reach
    start = max((bound for bound in (chapter.start, wanted.start) if bound is not None), default=None)
    end = min((bound for bound in (chapter.end, end) if bound is not None), default=None)
    return None if start is not None and end is not None and start >= end else Chapter(chapter.symbol, start, end)
