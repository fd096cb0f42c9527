"""Everything the feature service reads and writes: bars, feature blocks, its registry; who trained on its sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import polars as pl

from feature_service.domain.bars import usable
from feature_service.domain.blocks import Month
from feature_service.domain.records import Block, BuildCounts, BuildEntry, BuiltSet, Coverage, Definition, FitRow, Read
from shared.contracts.datasets import BARS_1M, CORPORATE_ACTIONS, FEATURES
from shared.contracts.identifiers import fingerprint
from shared.storage.lake import Lake, PartitionInfo, Snapshot
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries
from shared.web.client import ServiceClient

#: columns that are read at once where all of a set are looked at: a decade of minutes of them takes some 60 MB
_AT_ONCE = 16
#: what a feature may see of a bar
BAR_COLUMNS = ("ts", "open", "high", "low", "close", "volume")

Precondition = Callable[[Connection], None]


@dataclass(frozen=True)
class Turn:
    """Which blocks' months are this build's to make, and the transaction that says so."""

    conn: Connection
    mine: set[str]


@dataclass(frozen=True)
class FitTurn:
    """Whether an estimation is this build's to make, in which transaction, and what is known of it by then."""

    conn: Connection
    mine: bool
    known: FitRow | None


class PinnedBars:
    """Some symbols' bars at one moment, so that what is read and what names it cannot drift apart; so their splits."""

    def __init__(self, lake: Lake, symbols: Sequence[str]) -> None:
        self._lake = lake
        self._symbols = symbols
        snapshot = lake.snapshot(BARS_1M, symbol=symbols)
        # in the order of symbol and month, as a snapshot is
        self._files: dict[tuple[str, Month], PartitionInfo] = {
            (file.partition_values["symbol"], _month_of(file)): file for file in snapshot.files
        }
        self._months: dict[str, list[Month]] = {}
        for symbol, month in self._files:
            self._months.setdefault(symbol, []).append(month)

    def months(self, symbol: str) -> list[Month]:
        """Return the months that the symbol has bars of, ascending."""
        return list(self._months.get(symbol, ()))

    def version(self, reads: Sequence[Read], last: Month) -> str:
        """Return what names the files of the bars in `reads`, each from its month to `last`, both included.

        And the splits within these spans, where there are any.
        """
        spans = [(read["symbol"], Month.parse(read["since"])) for read in reads]

        def taking_part(symbol: str, month: Month) -> bool:
            return month <= last and any(symbol == one and since <= month for one, since in spans)

        files = self._part(file for name, file in self._files.items() if taking_part(*name)).version
        splits = [[one, str(day), value] for one, day, value in self._told if taking_part(one, Month.of(day))]
        return fingerprint("bars_and_splits", files=files, splits=splits) if splits else files

    def splits(self, symbol: str) -> pl.DataFrame:
        """Return the symbol's splits, schema CORPORATE_ACTIONS, by ex-date."""
        return self._splits.filter(pl.col("symbol") == symbol)

    @cached_property
    def _splits(self) -> pl.DataFrame:
        """The splits of all symbols, as they are told when first asked for."""
        actions = self._lake.read(self._lake.snapshot(CORPORATE_ACTIONS, symbol=self._symbols))
        return actions.filter(pl.col("kind") == "split").sort("symbol", "ex_date") if actions.height else actions

    @cached_property
    def _told(self) -> list[tuple[str, date, float]]:
        return self._splits.select("symbol", "ex_date", "value").rows()

    def usable(self, symbol: str, month: Month) -> pl.DataFrame:
        """Return the month's bars that features may see, ascending; none where there is no such month."""
        file = self._files.get((symbol, month))
        if file is None:  # of most that may play a role, for every month
            return pl.DataFrame(schema={name: BARS_1M.schema[name] for name in BAR_COLUMNS})
        return usable(self._lake.read(self._part([file]), [*BAR_COLUMNS, "source"]))

    def _part(self, files: Iterable[PartitionInfo]) -> Snapshot:
        return Snapshot(BARS_1M, tuple(files), None, None)


class PinnedFeatures:
    """What is built of a set for a symbol at one moment, so that columns read one after the other are of one build."""

    def __init__(self, lake: Lake, snapshot: Snapshot) -> None:
        self._lake = lake
        self._snapshot = snapshot

    @property
    def version(self) -> str:
        """What names all of it."""
        return self._snapshot.version

    @property
    def rows(self) -> int:
        return self._snapshot.rows

    def instants(self) -> pl.Series:
        """Return when the rows begin, ascending."""
        return self._lake.read(self._snapshot, ["ts"])["ts"]

    def columns(self, names: Sequence[str]) -> Iterator[pl.Series]:
        """Yield the columns in the order of `names`, never more than a few of them in memory."""
        for first in range(0, len(names), _AT_ONCE):
            yield from self._lake.read(self._snapshot, names[first : first + _AT_ONCE]).iter_columns()


class Store:
    def __init__(self, database: Database, lake: Lake) -> None:
        self._database = database
        self._lake = lake
        self._queries = Queries.of("feature_service")

    # bars ---------------------------------------------------------------------------------------------------------

    def bars(self, *symbols: str) -> PinnedBars:
        """Return the bars of `symbols` as they are now; later writes do not change them."""
        return PinnedBars(self._lake, sorted(set(symbols)))

    def bars_between(self, symbol: str, first: datetime, last: datetime) -> pl.DataFrame:
        """Return the bars from `first` to `last`, both included, ascending, filled ones too."""
        snapshot = self._lake.snapshot(BARS_1M, symbol=symbol, start=first, end=last + timedelta(minutes=1))
        return self._lake.read(snapshot, [*BAR_COLUMNS, "source"])

    # features -----------------------------------------------------------------------------------------------------

    def save_blocks(self, blocks: Sequence[pl.DataFrame], precondition: Precondition) -> dict[str, str]:
        """Put months of one set and symbol in place of earlier ones and return their contents' hashes by month."""
        content = self._lake.replace(FEATURES, pl.concat(blocks), precondition=precondition).content
        return {partition.rpartition("=")[2]: name for partition, name in content.items()}

    def content_hashes(self, feature_set: str, symbol: str, months: Sequence[str] | None = None) -> dict[str, str]:
        """Return by month which content the lake holds now, of all months or of those."""
        named = {} if months is None else {"month": months}
        found = self._lake.partitions(FEATURES, feature_set=feature_set, symbol=symbol, **named)
        return {info.partition_values["month"]: info.content_hash for info in found}

    def features(self, feature_set: str, symbol: str) -> PinnedFeatures:
        """Return all that is built of a set for a symbol as it is now; later builds do not change it."""
        return PinnedFeatures(self._lake, self._lake.snapshot(FEATURES, feature_set=feature_set, symbol=symbol))

    def columns(self, feature_set: str, symbol: str) -> list[str]:
        """Return the columns that are stored of a set's id, none when nothing is."""
        stored = self._lake.partitions(FEATURES, feature_set=feature_set, symbol=symbol)
        return [name for name in stored[-1].columns if name not in FEATURES.schema] if stored else []

    def read(
        self, feature_set: str, symbol: str, start: datetime | None, end: datetime | None, columns: Sequence[str]
    ) -> pl.DataFrame:
        """Return ts and `columns`, ascending; empty when nothing is built in [start, end)."""
        snapshot = self._lake.snapshot(FEATURES, feature_set=feature_set, symbol=symbol, start=start, end=end)
        return self._lake.read(snapshot, ["ts", *columns])

    def most_rows(self, feature_set: str, symbol: str, start: datetime | None, end: datetime | None) -> int:
        """Return how many rows the months of [start, end) hold: at least as many as `read` returns."""
        snapshot = self._lake.snapshot(FEATURES, feature_set=feature_set, symbol=symbol, start=start, end=end)
        return sum(file.row_count for file in snapshot.files)

    # registry -----------------------------------------------------------------------------------------------------

    def blocks(self, feature_set: str, symbol: str, months: Sequence[str] | None = None) -> dict[str, Block]:
        """Return the registered blocks by month, all or those of some."""
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "blocks", Block, feature_set=feature_set, symbol=symbol, months=months)
        return {block.month: block for block in found}

    @contextmanager
    def turn(self, feature_set: str, symbol: str, months: Sequence[str]) -> Iterator[Turn]:
        """Ask for the right to make blocks: nobody else has it until the `with` ends, or this process does."""
        asked = {"feature_set": feature_set, "symbol": symbol}
        with self._database.transaction() as conn:
            mine = {month for month in months if self._queries.value(conn, "take_turn", **asked, month=month)}
            yield Turn(conn, mine)

    def register(self, conn: Connection, blocks: Sequence[Block]) -> None:
        """Make blocks known, when the transaction of `conn` ends."""
        for block in blocks:
            self._queries.run(conn, "register_block", block=block.as_json())
            self._queries.run(conn, "count_made", fingerprint=block.fingerprint)

    def fit(self, fingerprint: str) -> FitRow | None:
        """Return what an estimation left behind, None when it was never made."""
        with self._database.transaction() as conn:
            return self._queries.row(conn, "fit", FitRow, fingerprint=fingerprint)

    @contextmanager
    def turn_at_fit(self, fingerprint: str) -> Iterator[FitTurn]:
        """Ask for the right to make an estimation: nobody else has it until the `with` ends, or this process does."""
        with self._database.transaction() as conn:
            mine = self._queries.value(conn, "take_turn_at_fit", fingerprint=fingerprint)
            yield FitTurn(conn, mine, self._queries.row(conn, "fit", FitRow, fingerprint=fingerprint))

    def keep_fit(self, conn: Connection, fit: FitRow, job_id: int) -> None:
        """Make an estimation known, when the transaction of `conn` ends."""
        self._queries.run(conn, "keep_fit", **vars(fit), job_id=job_id)

    def coverage(
        self, *, feature_set: str | None, symbol: str | None, limit: int, offset: int
    ) -> tuple[list[Coverage], int]:
        """Return a page of what is built, and how many rows there are in all."""
        filters = {"feature_set": feature_set, "symbol": symbol}
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "coverage", Coverage, **filters, limit=limit, offset=offset)
            return found, self._queries.value(conn, "count_coverage", **filters)

    def built_symbols(self, feature_set: str | None) -> list[str]:
        """Return the symbols that something is built for, of a set or of any, sorted."""
        with self._database.transaction() as conn:
            return sorted(self._queries.value(conn, "built_symbols", feature_set=feature_set))

    def builds(self, symbol: str | None, limit: int, offset: int) -> tuple[list[BuildEntry], int]:
        """Return a page of finished builds, the newest first, and how many there are."""
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "builds", BuildEntry, symbol=symbol, limit=limit, offset=offset)
            return found, self._queries.value(conn, "count_builds", symbol=symbol)

    def build_counts(self, since: datetime | None) -> BuildCounts:
        """Return hits and misses of all builds, or of those since a moment."""
        with self._database.transaction() as conn:
            [counts] = self._queries.rows(conn, "build_counts", BuildCounts, since=since)
        return counts

    def definitions(self, feature_set: str) -> list[Definition]:
        """Return what made the columns of a set's id, by name."""
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "definitions", Definition, feature_set=feature_set)

    def known_sets(self) -> list[BuiltSet]:
        """Return every set's id that something is built of, the newest first."""
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "known_sets", BuiltSet)


class Training:
    """The training service's registry, over HTTP."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def models_by_set(self) -> dict[str, int]:
        """Return by set's id how many models were trained on it. Raises Unavailable when nobody answers."""
        return self._client.get("/models/counts")


def _month_of(file: PartitionInfo) -> Month:
    return Month.parse(file.partition_values["month"])
