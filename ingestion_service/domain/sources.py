"""What a source of market data is: whoever can answer "which minute bars do you have for this symbol and span?"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Protocol, runtime_checkable

import polars as pl

from ingestion_service.domain.drift import Drift
from shared.contracts.datasets import TS
from shared.errors import InvalidInput

#: A source's answer, before any check: what it says, in our columns. Any value may be null or nonsense.
RAW_SCHEMA = pl.Schema(
    {
        "ts": TS,  # the bar's START
        "open": pl.Float64,
        "high": pl.Float64,
        "low": pl.Float64,
        "close": pl.Float64,
        "volume": pl.Float64,  # null where the source has none
    }
)

#: Before any data: how far back who knows no beginning reaches.
EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


class Refused(InvalidInput):
    """The source refuses our credentials. It is not to be asked again before they are corrected."""


class NotOffered(InvalidInput):
    """The source has no such data, or does not sell it to us; another source may have it."""


class MarketDataSource(Protocol):
    """Answers with minute bars. Every implementation passes tests/contracts/test_market_sources.py."""

    @property
    def name(self) -> str:
        """What is stored as the `source` of every bar that came from here."""
        ...

    def earliest(self) -> datetime:
        """Return the first moment the source can have minute bars of, whatever the symbol; EARLIEST without a bound."""
        ...

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Return what the source says about `symbol` in [start, end), in RAW_SCHEMA and in the source's order.

        Nothing is left out: rows that are wrong are for `validation.screen` to reject and count, and a row whose
        time cannot be read belongs to every span. Empty when the source has nothing.

        Raises
        ------
        Refused
            The source refuses the credentials.
        NotOffered
            It says that it does not have or sell this.
        InvalidInput
            It refuses the question, or its data cannot be read at all; asking again changes nothing.
        Unavailable
            It does not answer now.
        """
        ...

    def drift(self) -> list[Drift]:
        """Return how answers since the last call differed from the source's documents; then forget it."""
        ...


@runtime_checkable
class ManyAtOnce(Protocol):
    """A source that answers for many symbols in one go, at the price of one."""

    def bars_of(self, symbols: Sequence[str], start: datetime, end: datetime) -> dict[str, pl.DataFrame]:
        """Return what `MarketDataSource.bars` would for each symbol; a refusal of one is a refusal of all."""
        ...


@runtime_checkable
class KnowsDays(MarketDataSource, Protocol):
    """A source that has bars of whole sessions too."""

    def days(self, symbol: str, start: date, end: date) -> pl.DataFrame:
        """Return what the source says about the trading days [start, end), as traded, in RAW_SCHEMA.

        `ts` is midnight UTC of the trading day. Nothing is left out; empty when the source has nothing. Raises as
        `bars` does.
        """
        ...


@runtime_checkable
class KnowsActions(Protocol):
    """A source that knows of splits, dividends or renames."""

    def actions(self, symbol: str, start: date, end: date) -> pl.DataFrame:
        """Return the actions with an ex-date in [start, end), schema CORPORATE_ACTIONS; dividends as they were paid.

        Raises as `MarketDataSource.bars` does.
        """
        ...
