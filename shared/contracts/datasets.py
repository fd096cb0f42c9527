"""Every dataset of the lake: its columns, its key, how it is partitioned, and the one service that writes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

TS = pl.Datetime("us", "UTC")
#: the column that says who said a row, which is not part of what it says
PROVENANCE = "source"


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

#: Bars of whole sessions as a provider said them, as traded; `ts` is the session's open, midnight UTC of a coin's day.
#: One file a symbol: decades of days are few rows. `source` ends with " 1d".
BARS_1D = Dataset(
    name="bars_1d",
    writer="ingestion",
    partition_by=("symbol",),
    key=("symbol", "ts"),
    schema=BARS_1M.schema,
)

#: Bars that were made up for minutes nobody delivered, `source` "filled": a dataset of their own, so that whoever reads
#: bars_1m never meets one, filling changes no data version, and dropping them is dropping files.
BARS_FILLED = Dataset(
    name="bars_filled",
    writer="ingestion",
    partition_by=("symbol", "month"),
    key=("symbol", "ts"),
    schema=BARS_1M.schema,
)

#: Rows that came in and are not bars, as they came.
QUARANTINE = Dataset(
    name="quarantine",
    writer="ingestion",
    partition_by=("symbol",),
    key=("symbol", "id"),
    schema=pl.Schema(
        {
            "symbol": pl.String,
            "id": pl.String,  # names source and values: the same row again is not a second one
            "ts": TS,  # null where the time could not be read
            "open": pl.Float64,
            "high": pl.Float64,
            "low": pl.Float64,
            "close": pl.Float64,
            "volume": pl.Float64,
            "said": pl.String,  # the row as its source wrote it, where the columns above lost something of it
            "reason": pl.String,
            "source": pl.String,
            "received": TS,  # when it came first
        }
    ),
)

#: Splits, dividends and renames. Bars stay as they were traded; these are applied when they are read.
CORPORATE_ACTIONS = Dataset(
    name="corporate_actions",
    writer="ingestion",
    partition_by=("symbol",),
    key=("symbol", "kind", "ex_date"),
    schema=pl.Schema(
        {
            "symbol": pl.String,
            "kind": pl.String,  # split, dividend or rename
            "ex_date": pl.Date,  # the first session that trades with it
            "value": pl.Float64,  # split: new shares for one old; dividend: cash a share; rename: null
            "factor": pl.Float64,  # dividend: what earlier prices are multiplied by, null: from the close before
            "former": pl.String,  # rename: the symbol until then; else null
            "source": pl.String,
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

#: Series that users brought to be simulated like a model's predictions, named by their content.
SIGNALS = Dataset(
    name="signals",
    writer="simulation",
    partition_by=("signals",),
    key=("signals", "ts"),
    schema=pl.Schema({"signals": pl.String, "ts": TS, "value": pl.Float64}),  # ts: the bar at whose close it was known
)

#: A meta-model's probability, by bar, that the base model is right there; named by all that made it.
BOTS = Dataset(
    name="bots",
    writer="simulation",
    partition_by=("bot",),
    key=("bot", "ts"),
    schema=pl.Schema({"bot": pl.String, "ts": TS, "probability": pl.Float64}),  # null: too little to learn from
)

ALL_DATASETS = (
    BARS_1M,
    BARS_1D,
    BARS_FILLED,
    QUARANTINE,
    CORPORATE_ACTIONS,
    FEATURES,
    PREDICTIONS,
    TRIALS,
    EXPOSURES,
    SIGNALS,
    BOTS,
)
