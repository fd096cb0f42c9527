"""What a person wants to know of a built column at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

BINS = 24


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """Moments and shape of one column.

    missing : share of rows without a value
    mean, sd : over the rows with one; None when there is none
    low, high : 1st and 99th percentile, the ends of the histogram
    histogram : share of rows in each of `BINS` equal bins from low to high
    """

    name: str
    group: str
    missing: float
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    histogram: tuple[float, ...]


def summarise(groups: Mapping[str, str], columns: Iterable[pl.Series]) -> list[ColumnSummary]:
    """Return a summary of each of `columns`, which hold at least one row; `groups` tells each one's group by name.

    One after the other: all columns of a long history need not fit into memory.
    """
    return [_summary(column.name, groups[column.name], column.to_numpy()) for column in columns]


def _summary(name: str, group: str, column: np.ndarray[tuple[int], np.dtype[np.float32]]) -> ColumnSummary:
    values = column.astype(np.float64)
    known = values[~np.isnan(values)]
    missing = 1 - len(known) / len(values)
    if not len(known):
        return ColumnSummary(
            name=name, group=group, missing=missing, mean=None, sd=None, low=None, high=None, histogram=()
        )
    low, high = (float(edge) for edge in np.percentile(known, [1, 99]))
    counts, _ = np.histogram(known, bins=BINS, range=(low, high if high > low else low + 1))
    return ColumnSummary(
        name=name,
        group=group,
        missing=missing,
        mean=float(known.mean()),
        sd=float(known.std()),
        low=low,
        high=high,
        histogram=tuple(float(count) / len(known) for count in counts),
    )


def thin(frame: pl.DataFrame, column: str, points: int) -> pl.DataFrame:
    """Return at most `points` rows of time (epoch seconds), mean, lowest and highest of even spans of `frame`.

    `frame` has ts (ascending) and `column`. A span without a value has nulls; NaN counts as none.
    """
    width = max(-(-frame.height // points), 1)
    value = pl.col(column).fill_nan(None)
    spans = frame.with_row_index("row").group_by(pl.col("row") // width, maintain_order=True)
    return spans.agg(
        pl.col("ts").first().dt.epoch("s").alias("time"),
        value.mean().alias("mean"),
        value.min().alias("lowest"),
        value.max().alias("highest"),
    ).drop("row")
