"""Bars made up for minutes nobody delivered: a dataset of their own, off unless asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl

from shared.contracts.datasets import BARS_FILLED
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

    def counts(self) -> dict[str, int]:
        """Return how many made-up bars each symbol has, as the manifest knows."""
        found: dict[str, int] = {}
        for file in self._lake.partitions(BARS_FILLED):
            symbol = file.partition_values["symbol"]
            found[symbol] = found.get(symbol, 0) + file.row_count
        return found
