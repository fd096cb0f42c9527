"""Refused rows that a user judged good.

A released row is a bar from then on, whoever sends it: as long as its values are the same, it is neither suspected nor
refuted again, and it is preferred to another row of its minute in the same answer. Another row of that minute that
comes later is judged like any other, and stored in its place when it is sound: providers revise. A row that no bar can
look like (`validation.flaws`) is never released.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.validation import Reason, Screened
from shared.contracts.datasets import BARS_1M

#: What makes two rows the same row.
VALUES = ("symbol", *RAW_SCHEMA)


def without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose VALUES none of `others` has."""
    return rows.join(others, on=VALUES, how="anti", nulls_equal=True) if others.height else rows


def among(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose VALUES one of `others` has."""
    return rows.join(others, on=VALUES, how="semi", nulls_equal=True)


def displaced(bars: pl.DataFrame) -> pl.DataFrame:
    """Return bars (BARS_1M) that gave way to a released row as refused rows."""
    return bars.with_columns(said=pl.lit(None, pl.String), reason=pl.lit(Reason.DISPLACED.value))


def forgiven(screened: Screened, released: pl.DataFrame) -> Screened:
    """Return what became of rows of one symbol when those of them that are among `released` (VALUES) are bars."""
    if released.is_empty():
        return screened
    bars, refused = screened.bars, screened.refused
    back = without(among(refused, released), bars).unique(VALUES, maintain_order=True)
    way = displaced(bars.join(back, on="ts", how="semi")).select(refused.columns)
    bars = pl.concat([bars.join(back, on="ts", how="anti"), back.select(BARS_1M.schema.names())]).sort("ts")
    refused = pl.concat([refused.join(back, on=[*VALUES, "reason"], how="anti", nulls_equal=True), way])
    known = set(back["ts"].dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"))
    return replace(
        screened,
        bars=bars,
        refused=refused,
        rejected=dict(refused.group_by("reason", maintain_order=True).len().iter_rows()),
        examples=[example for example in screened.examples if example["ts"] not in known],
        withdrawn=without(screened.withdrawn, released),
    )
