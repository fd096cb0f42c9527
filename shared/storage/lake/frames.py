"""Frames on their way in and out of the lake: checking, splitting, merging, naming by content. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from urllib.parse import quote

import numpy as np
import polars as pl

from shared.contracts.datasets import PROVENANCE, TS, Dataset
from shared.errors import InvalidInput
from shared.storage.lake.model import Snapshot

MONTH = "month"
#: partitions of a frame that are cut out of it, where the rows of each lie together; more are gathered in one pass
LONG_RUNS = 100


def checked(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its columns as the dataset stores them: declared ones first.

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
    extra = [column for column in frame.columns if column not in dataset.schema]  # a hundred and more for features
    _check_extra(dataset, frame, extra)
    for column in dataset.key:
        _check_key_column(dataset, frame, column)
    return frame.select([*dataset.schema, *extra])


def _check_extra(dataset: Dataset, frame: pl.DataFrame, extra: list[str]) -> None:
    if extra and not dataset.extra_columns:
        raise InvalidInput(f"{dataset.name}: unknown column {extra[0]!r}; it has {', '.join(dataset.schema)}")
    schema = frame.schema
    for column in extra:
        dtype = schema[column]
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
    """Split a checked frame into partitions, in order of their values: (values, rows sorted by key, keys unique).

    Where a key occurs more than once the last row wins, as if the rows had been written one after the other.
    """
    if frame.is_empty():
        return
    rest = [column for column in dataset.key if column not in dataset.partition_by]
    if MONTH in dataset.partition_by:
        # a number here: formatting a date for every row costs more than all the rest
        frame = frame.with_columns((pl.col("ts").dt.year() * 100 + pl.col("ts").dt.month()).alias(MONTH))
    keys = frame.select(dataset.partition_by)
    changes = [(column[1:] != column[:-1]).to_numpy() for column in keys]
    edges = [0, *(np.flatnonzero(np.any(changes, axis=0)) + 1).tolist(), frame.height]
    runs = {keys.row(first): slice(first, end) for first, end in pairwise(edges[: LONG_RUNS + 1])}
    if len(runs) == len(edges) - 1:  # as blocks and months come: nothing to move
        parts = {values: frame[rows] for values, rows in runs.items()}
    else:
        parts = frame.partition_by(dataset.partition_by, as_dict=True, maintain_order=True)
    for values, part in sorted(parts.items(), key=lambda item: item[0]):
        named = {name: str(value) for name, value in zip(dataset.partition_by, values, strict=True)}
        if MONTH in named:
            named[MONTH] = f"{named[MONTH][:-2]}-{named[MONTH][-2:]}"
            part = part.drop(MONTH)  # noqa: PLW2901 - it was never part of the rows
        yield named, _in_key_order(part, rest)


def _in_key_order(part: pl.DataFrame, rest: list[str]) -> pl.DataFrame:
    """Sort rows of one partition by the rest of the key, the last of several with one key staying."""
    if len(rest) == 1 and (part[rest[0]][1:] > part[rest[0]][:-1]).all():
        return part
    return part.unique(rest, keep="last", maintain_order=True).sort(rest, maintain_order=True)


def partition_path(values: dict[str, str]) -> str:
    """Return the folder of a partition below its dataset: "symbol=SPY/month=2024-05"."""
    return "/".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


def merged(dataset: Dataset, old: pl.DataFrame, new: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the rows of both, each of one partition and sorted by key; of two rows with one key the new one.

    Also return how many rows of `old` gave way to others of their key that say something else, whoever said it.

    Raises InvalidInput when their columns differ: half of the rows would have no value.
    """
    if differing := sorted(f"{name} {dtype}" for name, dtype in set(old.schema.items()) ^ set(new.schema.items())):
        raise InvalidInput(
            f"{dataset.name}: the rows already stored and the new ones differ in columns {', '.join(differing)}:"
            " replace whole partitions, or write under another name"
        )
    old = old.select(new.columns)
    rest = [column for column in dataset.key if column not in dataset.partition_by]
    if len(rest) == 1 and old.height and new.height and old[rest[0]][-1] < new[rest[0]][0]:
        return pl.concat([old, new], rechunk=True), 0  # the newest rows: nothing to sort, and by far the most writes
    kept = old.join(new, on=dataset.key, how="anti")
    again = old.height - kept.height
    told = [column for column in new.columns if column != PROVENANCE]
    differing_rows = again and again - old.join(new, on=told, how="semi", nulls_equal=True).height
    return pl.concat([kept, new]).sort(dataset.key), differing_rows


def content_hash(frame: pl.DataFrame) -> str:
    """Return the SHA-256 of the rows: names, types, nulls and values, columns in the order of their names.

    Taken over values, not over the file's bytes, so that another version of the Parquet writer or of its
    compression gives the same rows the same name.
    """
    digest = hashlib.sha256(f"{frame.height}".encode())
    for name in sorted(frame.columns):
        series = frame.get_column(name).rechunk()
        digest.update(f"\0{name}\0{series.dtype}\0".encode())
        if series.null_count():
            digest.update(np.packbits(series.is_null().to_numpy()).tobytes())
        for piece in _value_bytes(series):
            digest.update(piece)
    return digest.hexdigest()


def _value_bytes(series: pl.Series) -> Iterator[bytes | memoryview]:
    if series.dtype == pl.String:
        import pyarrow as pa

        text = series.fill_null("").to_arrow().cast(pa.large_string())
        offsets = np.frombuffer(text.buffers()[1], dtype="<i8", count=len(text) + 1)
        yield (offsets - offsets[0]).tobytes()
        if offsets[-1] > offsets[0]:
            yield text.buffers()[2].slice(offsets[0], offsets[-1] - offsets[0]).to_pybytes()
        return
    # each of these is a query of its own to polars: only where it changes something
    numbers = series.to_physical() if series.dtype.is_temporal() else series
    if numbers.dtype == pl.Boolean:
        numbers = numbers.cast(pl.UInt8)
    if numbers.null_count():
        numbers = numbers.fill_null(0)
    yield np.ascontiguousarray(numbers.to_numpy()).data  # seen, not copied: a block of features is four megabytes


def time_bounds(frame: pl.DataFrame) -> tuple[datetime | None, datetime | None]:
    """Return first and last `ts` of non-empty rows, (None, None) for a dataset without that column."""
    if frame.schema.get("ts") != TS:
        return None, None
    (bounds,) = frame.select(pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last")).rows()
    return bounds


def cut(snapshot: Snapshot) -> pl.Expr | None:
    """Return the filter for [start, end), None where no file reaches beyond it."""
    start, end, ts = snapshot.start, snapshot.end, pl.col("ts")
    cuts: list[pl.Expr] = []
    if start is not None and any(file.min_ts is not None and file.min_ts < start for file in snapshot.files):
        cuts.append(ts >= start)
    if end is not None and any(file.max_ts is not None and file.max_ts >= end for file in snapshot.files):
        cuts.append(ts < end)
    return pl.all_horizontal(cuts) if cuts else None
