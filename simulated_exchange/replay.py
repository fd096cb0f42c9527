"""A market made of stored bars, played again: what has not happened yet on its timeline is not known to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from shared.errors import InvalidInput
from simulated_exchange.market import BAR_SCHEMA
from simulated_exchange.timeline import Timeline

_MINUTE = timedelta(minutes=1)


def as_wire_bars(bars: pl.DataFrame) -> pl.DataFrame:
    """Return stored bars (ts, open, high, low, close, volume) in BAR_SCHEMA.

    What was not stored is filled as the exchange's own market does for an index: no volume is 0, the number of trades
    is 0, the mean price is the close. Raises InvalidInput when there is nothing to play.
    """
    if bars.is_empty():
        raise InvalidInput("there are no bars to replay: choose a day and a symbol that barsmith ingest coverage shows")
    return (
        bars.sort("ts")
        .select(
            "ts",
            pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("t"),
            *(pl.col(name).alias(name[0]) for name in ("open", "high", "low", "close")),
            pl.col("volume").fill_null(0).alias("v"),
            pl.lit(0, pl.Int64).alias("n"),
            pl.col("close").alias("vw"),
        )
        .cast({name: dtype for name, dtype in BAR_SCHEMA.items() if name != "v"})
    )


@dataclass(frozen=True)
class ReplayMarket:
    """Bars by symbol, in BAR_SCHEMA (volume may be fractional); a bar exists once its minute is over."""

    played: Mapping[str, pl.DataFrame]
    timeline: Timeline

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the closed bars of [start, end), sorted by time; empty for what is not played."""
        if symbol not in self.played:
            return BAR_SCHEMA.to_frame()
        closed = pl.col("ts") + _MINUTE <= self.timeline.now()
        return self.played[symbol].filter(pl.col("ts").is_between(start, end, closed="left") & closed)
