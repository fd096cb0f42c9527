"""Bars made up for minutes nobody delivered: a dataset of their own, off unless asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from ingestion_service.store.snapshots import snapshots_of
from shared.contracts.datasets import BARS_FILLED
from shared.contracts.sessions import Int64Array
from shared.storage.lake import Lake, Snapshot
from shared.storage.postgres import Connection


class FilledStore:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def snapshot(
        self, symbol: str, start: datetime | None = None, end: datetime | None = None, as_of: datetime | None = None
    ) -> Snapshot:
        return self._lake.snapshot(BARS_FILLED, start=start, end=end, as_of=as_of, symbol=symbol)

    def read(self, snapshot: Snapshot) -> pl.DataFrame:
        return self._lake.read(snapshot)

    def add(self, bars: pl.DataFrame, still_mine: Callable[[Connection], None]) -> int:
        """Keep made-up bars and return how many are new."""
        return self._lake.upsert(BARS_FILLED, bars, precondition=still_mine).rows_added

    def drop(self, symbol: str, start: datetime | None = None, end: datetime | None = None) -> int:
        """Drop the made-up bars of [start, end) and return how many there were."""
        inside = pl.lit(value=True)
        if start is not None:
            inside &= pl.col("ts") >= start
        if end is not None:
            inside &= pl.col("ts") < end
        return -self._lake.rewrite(BARS_FILLED, lambda old: old.filter(~inside), symbol=symbol).rows_added

    def snapshots(self, symbols: Sequence[str]) -> dict[str, Snapshot]:
        """Return each symbol's made-up bars as they are now; opens no file."""
        return snapshots_of(self._lake, BARS_FILLED, symbols)

    def times_us(self, snapshot: Snapshot) -> Int64Array:
        """Return the times of made-up bars, in microseconds; real bars may have come since they were made."""
        return self._lake.read(snapshot, ["ts"])["ts"].to_physical().to_numpy()
