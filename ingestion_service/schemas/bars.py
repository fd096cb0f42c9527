"""What the routes of stored bars answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class SymbolSummary(BaseModel):
    """What is stored of a symbol."""

    symbol: str
    first: datetime
    last: datetime
    rows: int


class CandlesAnswer(BaseModel):
    """Columns of equal length, oldest first, as the shared chart module reads them.

    `time` is seconds since 1970; volume is null where the source has none.
    """

    symbol: str
    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float | None]
