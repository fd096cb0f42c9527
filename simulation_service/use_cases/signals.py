"""Signals: series that users bring, to be simulated like a model's predictions."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from pydantic import ValidationError

from shared.contracts.identifiers import check_symbol
from shared.contracts.messages import Window
from shared.errors import InvalidInput, NotFound
from simulation_service.domain.records import SignalsRecord
from simulation_service.domain.signals import read_signals
from simulation_service.store import Registry, Series


class SignalSeries:
    """Series that users brought, each named by its content, kind and symbol."""

    def __init__(self, series: Series, registry: Registry) -> None:
        self._series = series
        self._registry = registry

    def keep(self, content: bytes, *, symbol: str, name: str = "") -> SignalsRecord:
        """Read a CSV or Parquet file, keep what it says, and return its record; the same again is the same record.

        Raises InvalidInput that says what is wrong with the file, or that there are no bars it could be traded on.
        """
        symbol = check_symbol(symbol)
        found = read_signals(content)
        self._check_bars(symbol, found.frame["ts"])
        fingerprint = found.fingerprint(symbol)
        if self._registry.signals(fingerprint) is None:
            # the rows first: a name in the registry always has its rows
            self._series.save_signals(fingerprint, found.frame)
            stamps = found.frame["ts"]
            self._registry.keep_signals(
                fingerprint=fingerprint,
                symbol=symbol,
                kind=found.kind,
                name=name.strip()[:120] or fingerprint[:10],
                rows=found.frame.height,
                first_ts=stamps[0],
                last_ts=stamps[-1],
            )
        return self.one(fingerprint)

    def _check_bars(self, symbol: str, stamps: pl.Series) -> None:
        if not self._series.has_bars(symbol):
            raise InvalidInput(f"symbol {symbol}: there are no bars to trade it on: ingest them first, then send again")
        try:
            window = Window(start=stamps[0], end=stamps[-1] + timedelta(minutes=1))
        except (ValidationError, OverflowError):
            raise InvalidInput(f"ts goes from {stamps[0]} to {stamps[-1]}: no bars are that old, or that new") from None
        if not self._series.count_bars(symbol, window):
            raise InvalidInput(
                f"there are no bars of {symbol} from {window.start} to {window.end}, where the series speaks: "
                "ingest them first, then send again"
            )

    def one(self, fingerprint: str) -> SignalsRecord:
        """Return one series' record. Raises NotFound."""
        record = self._registry.signals(fingerprint)
        if record is None:
            raise NotFound(f"there are no signals {fingerprint}")
        return record

    def rows(self, fingerprint: str) -> pl.DataFrame:
        """Return what a series says: ts, and prediction or position. Raises NotFound."""
        record = self.one(fingerprint)
        return self._series.signals(fingerprint).rename({"value": record.kind})

    def page(self, *, symbol: str | None, limit: int, offset: int) -> tuple[list[SignalsRecord], int]:
        """Return a page of them, newest first, and how many there are."""
        return self._registry.all_signals(symbol=symbol, limit=limit, offset=offset)
