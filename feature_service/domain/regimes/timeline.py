"""A regime over time as spans, as many as a screen can show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

MAX_SPANS = 1_000


@dataclass(frozen=True)
class Span:
    """Rows in a row with one label, -1 for unknown: from the first one's start to the last one's start."""

    begin: datetime
    end: datetime
    label: int
    rows: int


def spans(frame: pl.DataFrame, column: str) -> list[Span]:
    """Return the runs of `column` (labels; NaN counts as -1) over `ts` (ascending), at most `MAX_SPANS`.

    With more runs than that, even groups of rows first take their commonest label, the smallest on a tie.
    """
    labels = frame.select("ts", label=pl.col(column).fill_nan(-1).fill_null(-1).cast(pl.Int64))
    runs = _runs(labels.with_columns(until=pl.col("ts"), rows=pl.lit(1)))
    width = 1
    while runs.height > MAX_SPANS:
        width *= 2
        group = pl.int_range(pl.len()) // width
        grouped = labels.group_by(group.alias("group"), maintain_order=True).agg(
            pl.col("ts").first(), until=pl.col("ts").last(), label=pl.col("label").mode().min(), rows=pl.len()
        )
        runs = _runs(grouped)
    return [Span(*row) for row in runs.select("ts", "until", "label", "rows").iter_rows()]


def _runs(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.group_by(pl.col("label").rle_id().alias("run"), maintain_order=True).agg(
        pl.col("ts").first(), pl.col("until").last(), pl.col("label").first(), pl.col("rows").sum()
    )
