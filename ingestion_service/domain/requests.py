"""Payloads of this service's jobs."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from shared.contracts.messages import Day, Message, Symbol, Window


def _known_zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"time zone {value:.50} is not known: use a name such as America/New_York") from error


#: the name of a time zone that this machine knows
Timezone = Annotated[str, AfterValidator(_known_zone)]


#: what is stored as it was given: minutes, and days for spans of which nobody has minutes
Stored = Literal["1m", "1d"]


class IngestBars(Window):
    """Fetch the bars of `symbol` in [start, end) from `provider`; what was fetched before is not asked for again."""

    symbol: Symbol
    #: whom to ask, in order, separated by commas; None: the symbol's own chain, else the service's
    provider: str | None = None
    #: ask again for what was fetched before
    refresh: bool = False
    timeframe: Stored = "1m"
    #: minutes that have a bar of another provider or of a file keep it
    keep_others: bool = False


class IngestMany(Window):
    """Fetch the bars of many symbols in [start, end), together where the provider can do that."""

    symbols: tuple[Symbol, ...] = Field(min_length=1, max_length=10_000)
    #: as in IngestBars; None: of each symbol its own chain
    provider: str | None = None
    #: ask again for what was fetched before
    refresh: bool = False


class ImportFiles(Message):
    """Import bars from the file, or the files of the folder, at `path` on the worker's machine."""

    path: str = Field(min_length=1)
    #: which files of a folder; folders below are searched with "**/*.parquet"
    glob: str | None = None
    #: their column name -> ours (ts, open, high, low, close, volume, symbol)
    columns: dict[str, str] = Field(default_factory=dict)
    #: for files that neither have a symbol column nor are named after their symbol
    symbol: Symbol | None = None
    #: of times that name no zone themselves
    timezone: Timezone = "UTC"
    timeframe: Stored = "1m"


class FillGaps(Message):
    """Ask again for the gaps of `symbol`, then make bars up for what is left of them."""

    symbol: Symbol
    #: rounds of filling; n rounds close holes of up to 2**n - 1 minutes
    max_iterations: int = Field(default=9, ge=1, le=9)
    #: also fill minutes without a trade, for uses that need every minute
    no_trade: bool = False
    #: as in IngestBars
    provider: str | None = None


class CompareBars(Window):
    """Compare the stored bars of `symbol` in [start, end) with what `provider` says."""

    symbol: Symbol
    provider: str


class FetchActions(Message):
    """Ask for the splits, dividends and renames of `symbol` with an ex-date in [start, end)."""

    symbol: Symbol
    start: Day
    end: Day
    #: as in IngestBars
    provider: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"starts on {self.start} but ends on {self.end}: start must come first")
        return self
