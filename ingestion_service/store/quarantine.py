"""Rows that came in and are not bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import polars as pl

from ingestion_service.domain.days import MARK
from ingestion_service.domain.releases import without
from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.validation import for_quarantine
from ingestion_service.store.releases import ReleaseStore
from ingestion_service.store.snapshots import snapshots_of
from shared.contracts.datasets import QUARANTINE
from shared.contracts.sessions import Int64Array
from shared.storage.lake import Lake, Snapshot
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

    def snapshots(self, symbols: Sequence[str]) -> dict[str, Snapshot]:
        """Return each symbol's rows as they are now, released ones too; opens no file."""
        return snapshots_of(self._lake, QUARANTINE, symbols)

    def times_us(self, snapshot: Snapshot) -> Int64Array:
        """Return the times of a symbol's minute rows that can be read and were not released, in microseconds."""
        if not snapshot.files:
            return np.zeros(0, np.int64)
        rows = without(self._lake.read(snapshot), self._releases.rows(snapshot.files[0].partition_values["symbol"]))
        minutes = rows.filter(~pl.col("source").str.ends_with(MARK))
        return minutes["ts"].drop_nulls().to_physical().to_numpy()

    def every(self, symbol: str | None) -> pl.DataFrame:
        """Return what `read` does and the released rows."""
        found = self._lake.snapshot(QUARANTINE) if symbol is None else self._lake.snapshot(QUARANTINE, symbol=symbol)
        return self._lake.read(found)

    def counts(self) -> dict[str, int]:
        """Return how many rows each symbol has, as the manifest knows; counted where some were released."""
        counts = {file.partition_values["symbol"]: file.row_count for file in self._lake.partitions(QUARANTINE)}
        releases = self._releases.rows()
        touched = [symbol for symbol in releases["symbol"].unique() if symbol in counts]
        if not touched:
            return counts
        left = without(self._lake.read(self._lake.snapshot(QUARANTINE, symbol=touched)), releases)
        return counts | dict.fromkeys(touched, 0) | dict(left.group_by("symbol").len().iter_rows())
