"""What the routes of stored bars answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingestion_service.domain.actions import Adjustment
from ingestion_service.domain.timeframes import Timeframe
from ingestion_service.schemas.order import check_order
from ingestion_service.use_cases.series import Wanted
from shared.contracts.candles import MAX_BARS, Candles
from shared.contracts.messages import Moment
from shared.storage.lake import PartitionInfo


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    #: Arrow's IPC stream
    ARROW = "arrow"


class BarsQuery(BaseModel):
    """Which bars of a symbol, and in what form. A bar belongs to the span in which it begins.

    A misspelt parameter is refused: bars of another kind than the one asked for look like an answer.
    """

    model_config = ConfigDict(extra="forbid")

    start: Moment | None = None
    end: Moment | None = None
    timeframe: Timeframe = Timeframe.M1
    adjustment: Adjustment = Adjustment.RAW
    #: also bars made up for gaps
    filled: bool = False
    #: as it was stored at this moment
    as_of: Moment | None = None
    limit: int = Field(default=10_000, ge=1, le=5_000_000)
    format: Format = Field(
        default=Format.JSON,
        description="arrow is an IPC stream, saved as .arrows: read it with polars.read_ipc_stream or "
        "pyarrow.ipc.open_stream",
    )

    @model_validator(mode="after")
    def _ordered(self) -> BarsQuery:
        check_order(self.start, self.end)
        return self

    def wanted(self, symbol: str) -> Wanted:
        return Wanted(symbol=symbol, **self.model_dump(exclude={"limit", "format"}))


class StoredMonth(BaseModel):
    """One file of a symbol's minutes."""

    month: str
    rows: int
    bytes: int
    stored_at: datetime
    first: datetime | None
    last: datetime | None

    @classmethod
    def of(cls, file: PartitionInfo) -> Self:
        return cls(
            month=file.partition_values["month"],
            rows=file.row_count,
            bytes=file.byte_count,
            stored_at=file.committed_at,
            first=file.min_ts,
            last=file.max_ts,
        )


class ChartQuery(BaseModel):
    """Which bars a chart shows, and in at most how many candles."""

    model_config = ConfigDict(extra="forbid")

    start: Moment | None = Field(default=None, alias="from")
    end: Moment | None = Field(default=None, alias="to")
    timeframe: Timeframe = Timeframe.M1
    adjustment: Adjustment = Adjustment.RAW
    #: also bars made up for gaps
    filled: bool = False
    limit: int = Field(default=MAX_BARS, ge=1, le=MAX_BARS)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_order(self.start, self.end, names=("from", "to"))
        return self

    def wanted(self, symbol: str) -> Wanted:
        return Wanted(symbol=symbol, **self.model_dump(exclude={"limit"}))


class CandlesQuery(ChartQuery):
    """Also as it was stored at a moment, and as rows."""

    as_of: Moment | None = None
    format: Literal["json", "csv"] = Field(default="json", description="csv: the same candles as rows, to save")

    def wanted(self, symbol: str) -> Wanted:
        return Wanted(symbol=symbol, **self.model_dump(exclude={"limit", "format"}))


class CandlesAnswer(BaseModel):
    """Columns of equal length, oldest first, as the shared chart module reads them.

    `time` is seconds since 1970; volume is null where the source has none. `candle` is how long one is ("65m", "5d"; a
    day is a session) that was made of bars of `timeframe`: longer where there were too many of those.
    """

    symbol: str
    timeframe: str
    candle: str
    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float | None]


class ChartMarker(BaseModel):
    """A mark of the chart above the candle that begins at `time` (seconds since 1970)."""

    time: int
    side: str
    text: str


class ChartAnswer(CandlesAnswer):
    """Candles with the number of gap minutes in each, up to the next one: the chart shades those that have any.

    `markers` stand where rows were refused, and say how many where it is more than one.
    """

    shade: list[int]
    markers: list[ChartMarker]


def candle_columns(candles: Candles) -> dict[str, Any]:
    """Return the columns of a `CandlesAnswer`, and how long a candle is."""
    return {
        "candle": candles.length,
        "time": (candles.ts_us // 1_000_000).tolist(),
        "open": candles.open.tolist(),
        "high": candles.high.tolist(),
        "low": candles.low.tolist(),
        "close": candles.close.tolist(),
        "volume": [None if np.isnan(volume) else volume for volume in candles.volume.tolist()],
    }


def candle_rows(candles: Candles) -> pl.DataFrame:
    """Return candles as rows: a table says the time as a table of bars does, and how long each is."""
    columns = candle_columns(candles)
    stamps = pl.Series(candles.ts_us).cast(pl.Datetime("us", "UTC"))
    return (
        pl.DataFrame(columns)
        .with_columns(time=stamps)
        .rename({"time": "ts"})
        .select("ts", "candle", "open", "high", "low", "close", "volume")
    )
