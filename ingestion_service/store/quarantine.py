"""Rows that came in and are not bars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl

from ingestion_service.domain.days import MARK
from ingestion_service.domain.releases import without
from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.validation import for_quarantine
from ingestion_service.store.releases import ReleaseStore
from shared.contracts.datasets import QUARANTINE
from shared.contracts.sessions import Int64Array
from shared.storage.lake import Lake
from shared.storage.postgres import Connection


class QuarantineStore:
    """Rows stay here as they came, also those that were released since: they are left out of every read."""

    def __init__(self, lake: Lake, releases: ReleaseStore) -> None:
        self._lake = lake
        self._releases = releases

    def add(
        self, refused: pl.DataFrame, received: datetime, still_mine: Callable[[Connection], None] | None = None
    ) -> int:
        """Keep refused rows (of one symbol) and return how many are new; what is there stays as it came first."""
        if refused.is_empty():
            return 0
        rows = for_quarantine(refused.select("symbol", *RAW_SCHEMA, "said", "reason", "source"), received)
        known = self._lake.read(self._lake.snapshot(QUARANTINE, symbol=rows["symbol"][0]), ["id"])
        new = rows.join(known, on="id", how="anti")
        if new.height:
            self._lake.upsert(QUARANTINE, new, precondition=still_mine)
        return new.height

    def read(self, symbol: str | None = None) -> pl.DataFrame:
        """Return the rows of one symbol, or of all, in the schema of QUARANTINE."""
        return without(self.every(symbol), self._releases.rows(symbol))

    def version(self, symbol: str) -> str:
        """Return what names the symbol's rows, released ones too."""
        return self._lake.snapshot(QUARANTINE, symbol=symbol).version

    def times_us(self, symbol: str) -> Int64Array:
        """Return the times of the symbol's minute rows that can be read, in microseconds."""
        minutes = self.read(symbol).filter(~pl.col("source").str.ends_with(MARK))
        return minutes["ts"].drop_nulls().to_physical().to_numpy()

    def every(self, symbol: str | None) -> pl.DataFrame:
        """Return what `read` does and the released rows."""
        found = self._lake.snapshot(QUARANTINE) if symbol is None else self._lake.snapshot(QUARANTINE, symbol=symbol)
        return self._lake.read(found)

    def counts(self) -> dict[str, int]:
        """Return how many rows each symbol has, as the manifest knows; counted where some were released."""
        counts = {file.partition_values["symbol"]: file.row_count for file in self._lake.partitions(QUARANTINE)}
        return counts | {symbol: self.read(symbol).height for symbol in self._releases.symbols() if symbol in counts}
