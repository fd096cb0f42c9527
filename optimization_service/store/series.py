"""The lake as this service sees it: which bars and predictions are there, not their values."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from optimization_service.domain.batch import Pair
from shared.contracts.datasets import BARS_1M, PREDICTIONS
from shared.storage.lake import Lake


class Series:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def bars_end(self, symbol: str) -> datetime | None:
        """Return the moment after a symbol's last stored bar, None when it has none."""
        stored = self._lake.partitions(BARS_1M, symbol=symbol)
        last = max((part.max_ts for part in stored if part.max_ts is not None), default=None)
        return None if last is None else last + timedelta(minutes=1)

    def lacks_predictions(self, pair: Pair) -> bool:
        """Return whether some session of the pair's window has bars but no prediction.

        Sessions and not bars: a feature's warm-up leaves the first minutes of a session unsaid for ever.
        """
        span = {"start": pair.window.start_utc, "end": pair.window.end_utc}
        bars = self._lake.snapshot(BARS_1M, symbol=pair.symbol, start=span["start"], end=span["end"])
        said = self._lake.snapshot(
            PREDICTIONS, model=pair.model, symbol=pair.symbol, start=span["start"], end=span["end"]
        )
        return not _days(self._lake.read(bars, ["ts"])) <= _days(self._lake.read(said, ["ts"]))


def _days(stamps: pl.DataFrame) -> set[Any]:
    # the UTC date names a New York session: regular hours never cross midnight UTC
    return set(stamps["ts"].dt.date().unique().to_list())
