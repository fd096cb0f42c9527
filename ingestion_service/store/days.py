"""The stored daily bars, and which days providers were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from ingestion_service.domain.days import Days
from shared.contracts.datasets import BARS_1D
from shared.storage.lake import Commit, Lake, PartitionInfo, Snapshot
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries


class DayStore:
    def __init__(self, database: Database, lake: Lake) -> None:
        self._database, self._lake = database, lake
        self._queries = Queries.of("ingestion_service")

    def snapshot(
        self, symbol: str, start: datetime | None = None, end: datetime | None = None, as_of: datetime | None = None
    ) -> Snapshot:
        return self._lake.snapshot(BARS_1D, start=start, end=end, as_of=as_of, symbol=symbol)

    def read(self, snapshot: Snapshot, columns: Sequence[str] | None = None) -> pl.DataFrame:
        return self._lake.read(snapshot, columns)

    def changes(self, symbol: str) -> list[datetime]:
        """Return the moments at which the symbol's daily bars changed, newest first, back to the lake's last sweep."""
        return self._lake.history(BARS_1D, symbol=symbol)

    def stored(self, symbol: str | None = None) -> dict[str, PartitionInfo]:
        """Return each symbol's file of daily bars, in order of symbols; opens none."""
        partition = {} if symbol is None else {"symbol": symbol}
        files = [file for file in self._lake.partitions(BARS_1D, **partition) if file.row_count]
        return {file.partition_values["symbol"]: file for file in files}

    def missing(self, symbol: str, providers: Sequence[str], days: Days) -> list[Days]:
        """Return the parts of `days` that none of `providers` has answered."""
        with self._database.transaction() as conn:
            return self._queries.rows(
                conn,
                "missing_days",
                Days,
                symbol=symbol,
                providers=list(providers),
                start=days.start,
                end=days.end,
            )

    def save(
        self,
        bars: pl.DataFrame,
        still_mine: Callable[[Connection], None],
        answered: tuple[str, str, Days] | None = None,
    ) -> Commit:
        """Merge daily bars into the lake; in their transaction it is noted which symbol's days which provider answered.

        answered : symbol, provider and days; None for bars that nobody was asked for
        """

        def commit_together(conn: Connection) -> None:
            still_mine(conn)
            if answered is not None:
                symbol, provider, days = answered
                self._queries.run(conn, "record_days", symbol=symbol, provider=provider, start=days.start, end=days.end)

        return self._lake.upsert(BARS_1D, bars, precondition=commit_together)
