"""Anchored blocks: a month of features is always the same computation.

A block is one symbol, one set and one month (of `ts` in UTC, which no session crosses). It is computed from that
month's usable bars and exactly `WARM_UP_BARS` usable bars before them, or all there are at the beginning of
history. Nothing else takes part, so a full build, one more day and a longer range agree bit for bit, and months
can be built in any order. 5,000 bars are enough for every recursive average of the sets to forget its seed: the
slowest, an EMA of 26 bars, keeps (25/27)^5000 of it, which is 0 in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from feature_service.domain.bars import bars_of
from feature_service.domain.catalogue import CODE_VERSION, FeatureSet
from shared.contracts.identifiers import fingerprint

WARM_UP_BARS = 5_000


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month in UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, at: datetime | date) -> Month:
        return cls(at.year, at.month)

    @classmethod
    def parse(cls, text: str) -> Month:
        """Return the month written as "2024-05", the lake's partition value."""
        year, month = text.split("-")
        return cls(int(year), int(month))

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.next.start

    @property
    def next(self) -> Month:
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


#: older than any bar
BEGINNING = Month(1970, 1)


def months_between(start: datetime, end: datetime) -> list[Month]:
    """Return every month that has an instant in [start, end), ascending."""
    month, months = Month.of(start.astimezone(UTC)), list[Month]()
    while month.start < end:
        months.append(month)
        month = month.next
    return months


def block_fingerprint(features: FeatureSet, symbol: str, month: Month, bars_version: str) -> str:
    """Return the name of the block made from the bars that `bars_version` names."""
    return fingerprint(
        "feature_block",
        feature_set=features.id,
        code_version=CODE_VERSION,
        symbol=symbol,
        month=str(month),
        warm_up_bars=WARM_UP_BARS,
        data_version=bars_version,
    )


def compute_block(features: FeatureSet, symbol: str, before: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Return the month's rows: feature_set, symbol, ts and the set's columns, one row per usable bar.

    before : usable bars before the month, ascending; the last `WARM_UP_BARS` are taken
    bars : usable bars of the month, ascending
    """
    warm_up = before.tail(WARM_UP_BARS)
    values = features.compute(bars_of(pl.concat([warm_up, bars]))).slice(len(warm_up))
    return values.select(
        pl.lit(features.id).alias("feature_set"), pl.lit(symbol).alias("symbol"), "ts", *features.columns
    )
