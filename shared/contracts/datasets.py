"""Every dataset of the lake: its columns, its key, how it is partitioned, and the one service that writes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

TS = pl.Datetime("us", "UTC")


class Encoding(StrEnum):
    """How a dataset's files are written."""

    #: zstd-3, delta-packed integers, one row group: small, for what is kept
    ZSTD = "zstd"
    #: uncompressed: for blocks that are read more often than kept (reading zstd costs as much as recomputing)
    PLAIN = "plain"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A named set of immutable Parquet files under one manifest.

    `schema` is the full row schema; a `month` partition ("2024-05", of `ts` in UTC) is derived and not a column,
    every other partition is a column too. Rows are unique by `key` within the dataset and stored sorted by it; the key
    begins with the partition columns, so files in the order of their partitions are rows in the order of the key.
    """

    name: str
    writer: str
    partition_by: tuple[str, ...]
    key: tuple[str, ...]
    schema: pl.Schema
    encoding: Encoding = Encoding.ZSTD
    #: whether rows may have number columns beyond the schema; the rows of one partition all have the same ones
    extra_columns: bool = False


BARS_1M = Dataset(
    name="bars_1m",
    writer="ingestion",
    partition_by=("symbol", "month"),
    key=("symbol", "ts"),
    schema=pl.Schema(
        {
            "symbol": pl.String,
            "ts": TS,  # the bar's START
            "open": pl.Float64,
            "high": pl.Float64,
            "low": pl.Float64,
            "close": pl.Float64,
            "volume": pl.Float64,  # shares, or coins: crypto trades fractions; null where the source has none
            "source": pl.String,  # provider, or "filled"
        }
    ),
)

#: Feature columns are added after `ts` as the set declares them (Float32 or Float64), so a file's schema is wider.
FEATURES = Dataset(
    name="features",
    writer="features",
    partition_by=("feature_set", "symbol", "month"),
    key=("feature_set", "symbol", "ts"),
    schema=pl.Schema({"feature_set": pl.String, "symbol": pl.String, "ts": TS}),
    encoding=Encoding.PLAIN,
    extra_columns=True,
)

#: `fold` >= 0: out-of-sample prediction of that walk-forward fold; -1: of the frozen artefact after its training.
PREDICTIONS = Dataset(
    name="predictions",
    writer="training",
    partition_by=("model", "symbol"),
    key=("model", "symbol", "ts"),
    schema=pl.Schema({"model": pl.String, "symbol": pl.String, "ts": TS, "prediction": pl.Float64, "fold": pl.Int16}),
)

#: The trial ledger: one row per sweep, setting and session, flat days included.
TRIALS = Dataset(
    name="trials",
    writer="simulation",
    partition_by=("sweep",),
    key=("sweep", "setting", "session"),
    schema=pl.Schema(
        {
            "sweep": pl.String,
            "setting": pl.Int32,  # index into the sweep's settings
            "session": pl.Date,
            "daily_return": pl.Float64,  # after costs, of equity at the previous session's end
            "timing_alpha": pl.Float64,  # daily_return minus the static time-of-day exposure portfolio
        }
    ),
)

#: Mean position by minute of the session, the static portfolio that timing alpha is measured against.
EXPOSURES = Dataset(
    name="exposures",
    writer="simulation",
    partition_by=("sweep",),
    key=("sweep", "setting", "minute"),
    schema=pl.Schema({"sweep": pl.String, "setting": pl.Int32, "minute": pl.Int16, "mean_position": pl.Float64}),
)

ALL_DATASETS = (BARS_1M, FEATURES, PREDICTIONS, TRIALS, EXPOSURES)
