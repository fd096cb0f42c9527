"""Showing the bars that are there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from ingestion_service.store.bars import BarStore, Stock
from shared.clock import Clock
from shared.contracts.candles import MAX_BARS, Candles, condense
from shared.errors import InvalidInput, NotFound

_SORTS = ("symbol", "first", "last", "rows")


@dataclass(frozen=True, kw_only=True)
class SymbolCoverage:
    """How much there is of one symbol. Counts of sessions and minutes are defined in domain/coverage.py."""

    symbol: str
    first: datetime
    last: datetime
    rows: int
    bytes: int
    sources: list[str]
    sessions: int
    sessions_expected: int
    missing_minutes: int
    off_hours: int
    #: how old the last bar is
    stale_seconds: float


@dataclass(frozen=True)
class Excerpt:
    """Rows of a symbol, schema BARS_1M; `truncated` when the span has more. `data_version` names the whole span."""

    rows: pl.DataFrame
    truncated: bool
    data_version: str


class Bars:
    """Reads bars and says what is there."""

    def __init__(self, store: BarStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def stocks(self) -> list[Stock]:
        """Return every symbol that has bars."""
        return self._store.stocks()

    def stock(self, symbol: str) -> Stock:
        """Return one symbol. Raises NotFound when it has no bars."""
        found = self._store.stocks(symbol)
        if not found:
            raise NotFound(f"there are no bars of {symbol}: ingest or import them first")
        return found[0]

    def coverage(self, *, search: str, sort: str, offset: int, limit: int) -> tuple[list[SymbolCoverage], int]:
        """Return a page of symbols whose name contains `search`, and how many there are on all pages.

        `sort` is symbol, first, last or rows; with a minus before it, descending.
        """
        key = sort.removeprefix("-")
        if key not in _SORTS:
            raise InvalidInput(f"sort {sort!r}: use one of {', '.join(_SORTS)}, with a - before it for descending")
        found = [stock for stock in self._store.stocks() if search.upper() in stock.symbol]
        found.sort(key=lambda stock: getattr(stock, key), reverse=sort.startswith("-"))
        return [self._covered(stock) for stock in found[offset : offset + limit]], len(found)

    def coverage_of(self, symbol: str) -> SymbolCoverage:
        """Return the coverage of one symbol. Raises NotFound when it has no bars."""
        return self._covered(self.stock(symbol))

    def excerpt(self, symbol: str, start: datetime | None, end: datetime | None, limit: int) -> Excerpt:
        """Return the first `limit` bars of [start, end). Raises NotFound when the symbol has no bars at all."""
        self.stock(symbol)
        snapshot = self._store.snapshot(symbol, start, end)
        rows = self._store.read(snapshot)
        return Excerpt(rows.head(limit), rows.height > limit, snapshot.version)

    def candles(self, symbol: str, start: datetime | None, end: datetime | None, wanted: int = MAX_BARS) -> Candles:
        """Return at most `wanted` candles that together are the bars of [start, end).

        Raises NotFound when the symbol has no bars at all.
        """
        self.stock(symbol)
        snapshot = self._store.snapshot(symbol, start, end)
        rows = self._store.read(snapshot, ["ts", "open", "high", "low", "close", "volume"])
        return condense(
            Candles(
                ts_us=rows["ts"].to_physical().to_numpy(),
                open=rows["open"].to_numpy(),
                high=rows["high"].to_numpy(),
                low=rows["low"].to_numpy(),
                close=rows["close"].to_numpy(),
                volume=rows["volume"].fill_null(float("nan")).to_numpy(),
            ),
            wanted,
        )

    def _covered(self, stock: Stock) -> SymbolCoverage:
        facts = self._store.facts(stock.symbol)
        return SymbolCoverage(
            symbol=stock.symbol,
            first=stock.first,
            last=stock.last,
            rows=stock.rows,
            bytes=stock.bytes,
            sources=list(facts.sources),
            sessions=facts.completeness.sessions,
            sessions_expected=facts.completeness.sessions_expected,
            missing_minutes=facts.completeness.missing_minutes,
            off_hours=facts.completeness.off_hours,
            stale_seconds=(self._clock.now() - stock.last).total_seconds(),
        )
