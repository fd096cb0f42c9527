"""Everything the feature service reads and writes: bars, feature blocks, its registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from feature_service.domain.bars import usable
from feature_service.domain.blocks import Month
from feature_service.domain.records import Block, Coverage
from shared.contracts.datasets import BARS_1M, FEATURES
from shared.storage.lake import Lake, PartitionInfo, Snapshot
from shared.storage.lake.frames import content_hash
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries

Precondition = Callable[[Connection], None]


class PinnedBars:
    """A symbol's bars at one moment, so that what is read and what names it cannot drift apart."""

    def __init__(self, lake: Lake, snapshot: Snapshot) -> None:
        self._lake = lake
        self._snapshot = snapshot
        self.months = sorted(_month_of(file) for file in snapshot.files)

    def version(self, first: Month, last: Month) -> str:
        """Return what names the bars of the months `first` to `last`, both included."""
        return self._part(first, last).version

    def usable(self, month: Month) -> pl.DataFrame:
        """Return the month's bars that features may see, ascending."""
        part = self._part(month, month)
        return usable(self._lake.read(part, ["ts", "open", "high", "low", "close", "volume", "source"]))

    def _part(self, first: Month, last: Month) -> Snapshot:
        files = tuple(file for file in self._snapshot.files if first <= _month_of(file) <= last)
        return Snapshot(BARS_1M, files, None, None)


class Store:
    def __init__(self, database: Database, lake: Lake) -> None:
        self._database = database
        self._lake = lake
        self._queries = Queries.of("feature_service")

    # bars ---------------------------------------------------------------------------------------------------------

    def bars(self, symbol: str) -> PinnedBars:
        """Return the bars of `symbol` as they are now; later writes do not change them."""
        return PinnedBars(self._lake, self._lake.snapshot(BARS_1M, symbol=symbol))

    # features -----------------------------------------------------------------------------------------------------

    def save_block(self, block: pl.DataFrame, precondition: Precondition) -> str:
        """Put a month of features in place of an earlier one and return its content's hash."""
        self._lake.replace(FEATURES, block, precondition=precondition)
        return content_hash(block)

    def content_hashes(self, feature_set: str, symbol: str) -> dict[str, str]:
        """Return by month which content the lake holds now."""
        found = self._lake.partitions(FEATURES, feature_set=feature_set, symbol=symbol)
        return {info.partition_values["month"]: info.content_hash for info in found}

    def read(
        self, feature_set: str, symbol: str, start: datetime | None, end: datetime | None, columns: Sequence[str]
    ) -> pl.DataFrame:
        """Return ts and `columns`, ascending; empty when nothing is built in [start, end)."""
        snapshot = self._lake.snapshot(FEATURES, feature_set=feature_set, symbol=symbol, start=start, end=end)
        return self._lake.read(snapshot, ["ts", *columns])

    # registry -----------------------------------------------------------------------------------------------------

    def blocks(self, feature_set: str, symbol: str) -> dict[str, Block]:
        """Return the registered blocks by month."""
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "blocks", Block, feature_set=feature_set, symbol=symbol)
        return {block.month: block for block in found}

    def coverage(
        self, *, feature_set: str | None, symbol: str | None, limit: int, offset: int
    ) -> tuple[list[Coverage], int]:
        """Return a page of what is built, and how many rows there are in all."""
        filters = {"feature_set": feature_set, "symbol": symbol}
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "coverage", Coverage, **filters, limit=limit, offset=offset)
            return found, self._queries.value(conn, "count_coverage", **filters)


def _month_of(file: PartitionInfo) -> Month:
    return Month.parse(file.partition_values["month"])
