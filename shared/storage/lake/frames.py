"""Frames on their way in and out of the lake: checking, splitting, merging, naming by content. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

import numpy as np
import polars as pl
import pyarrow as pa

from shared.contracts.datasets import TS, Dataset
from shared.errors import InvalidInput

MONTH = "month"


def checked(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame's rows as the dataset stores them: declared columns first, sorted by key, keys unique.

    Where a key occurs more than once the last row wins, as if the rows had been written one after the other.
    Raises InvalidInput for a missing, unknown or wrongly typed column and for a null in the key.
    """
    for column, dtype in dataset.schema.items():
        if column not in frame.columns:
            raise InvalidInput(
                f"{dataset.name}: column {column!r} is missing; the frame has {', '.join(frame.columns) or 'none'}"
            )
        if frame.schema[column] != dtype:
            raise InvalidInput(
                f"{dataset.name}: column {column!r} is {frame.schema[column]}, it must be {dtype}: cast it first"
            )
    extra = [column for column in frame.columns if column not in dataset.schema]
    _check_extra(dataset, frame, extra)
    for column in dataset.key:
        _check_key_column(dataset, frame, column)
    return (
        frame.select([*dataset.schema, *extra])
        .unique(dataset.key, keep="last", maintain_order=True)
        .sort(dataset.key, maintain_order=True)
    )


def _check_extra(dataset: Dataset, frame: pl.DataFrame, extra: list[str]) -> None:
    if extra and not dataset.extra_columns:
        raise InvalidInput(f"{dataset.name}: unknown column {extra[0]!r}; it has {', '.join(dataset.schema)}")
    for column in extra:
        dtype = frame.schema[column]
        if not (dtype.is_numeric() or dtype == pl.Boolean) or dtype.is_decimal():
            raise InvalidInput(f"{dataset.name}: column {column!r} is {dtype}, it must be a number")


def _check_key_column(dataset: Dataset, frame: pl.DataFrame, column: str) -> None:
    series = frame[column]
    if series.null_count():
        row = series.is_null().arg_max()
        raise InvalidInput(f"{dataset.name}: key column {column!r} is null in row {row}: every row needs a key")
    if column in dataset.partition_by and (series == "").any():
        raise InvalidInput(f"{dataset.name}: column {column!r} is empty in row {(series == '').arg_max()}")


def by_partition(dataset: Dataset, frame: pl.DataFrame) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
    """Split a checked frame into partitions: (partition values in order, its rows)."""
    if frame.is_empty():
        return
    derived = (
        frame.with_columns(pl.col("ts").dt.strftime("%Y-%m").alias(MONTH)) if MONTH in dataset.partition_by else frame
    )
    parts = derived.partition_by(dataset.partition_by, as_dict=True, include_key=True, maintain_order=True)
    for values, part in parts.items():
        rows = part.drop(MONTH) if MONTH in dataset.partition_by else part
        yield dict(zip(dataset.partition_by, map(str, values), strict=True)), rows


def partition_path(values: dict[str, str]) -> str:
    """Return the folder of a partition below its dataset: "symbol=SPY/month=2024-05"."""
    return "/".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


def merged(dataset: Dataset, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of both, sorted by key; of two rows with one key the new one.

    Raises InvalidInput when their columns differ: half of the rows would have no value.
    """
    if differing := sorted(f"{name} {dtype}" for name, dtype in set(old.schema.items()) ^ set(new.schema.items())):
        raise InvalidInput(
            f"{dataset.name}: the rows already stored and the new ones differ in columns {', '.join(differing)}:"
            " replace whole partitions, or write under another name"
        )
    kept = old.select(new.columns).join(new, on=dataset.key, how="anti")
    return pl.concat([kept, new]).sort(dataset.key)


def content_hash(frame: pl.DataFrame) -> str:
    """Return the SHA-256 of the rows: names, types, nulls and values, columns in the order of their names.

    Taken over values, not over the file's bytes, so that another version of the Parquet writer or of its
    compression gives the same rows the same name.
    """
    digest = hashlib.sha256(f"{frame.height}".encode())
    for name in sorted(frame.columns):
        series = frame[name].rechunk()
        digest.update(f"\0{name}\0{series.dtype}\0".encode())
        if series.null_count():
            digest.update(np.packbits(series.is_null().to_numpy()).tobytes())
        for piece in _value_bytes(series):
            digest.update(piece)
    return digest.hexdigest()


def _value_bytes(series: pl.Series) -> Iterator[bytes]:
    if series.dtype == pl.String:
        text = series.fill_null("").to_arrow().cast(pa.large_string())
        offsets = np.frombuffer(text.buffers()[1], dtype="<i8", count=len(text) + 1)
        yield (offsets - offsets[0]).tobytes()
        if offsets[-1] > offsets[0]:
            yield text.buffers()[2].slice(offsets[0], offsets[-1] - offsets[0]).to_pybytes()
        return
    numbers = series.to_physical()
    if numbers.dtype == pl.Boolean:
        numbers = numbers.cast(pl.UInt8)
    yield np.ascontiguousarray(numbers.fill_null(0).to_numpy()).tobytes()


def time_bounds(frame: pl.DataFrame) -> tuple[datetime | None, datetime | None]:
    """Return first and last `ts` of non-empty rows, (None, None) for a dataset without that column."""
    if frame.schema.get("ts") != TS:
        return None, None
    (bounds,) = frame.select(pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last")).rows()
    return bounds
