"""How good the stored bars are: gaps with their reasons, refused rows, steps that look like splits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from ingestion_service.domain.actions import ImpossibleDividend
from ingestion_service.domain.coverage import SessionCoverage
from ingestion_service.domain.gaps import Gap, Missing, Why, gaps
from ingestion_service.domain.moments import in_us
from ingestion_service.domain.refused import RefusedRows, nearby, refused_rows
from ingestion_service.domain.spans import FailedAsk
from ingestion_service.domain.splits import SuspectedSplit, suspected_splits
from ingestion_service.domain.symbols import crypto_pair, is_index
from ingestion_service.domain.timeframes import Timeframe
from ingestion_service.domain.validation import Reason, flaws
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases.bars import Bars, SymbolCoverage
from ingestion_service.use_cases.series import Reader, Wanted
from shared.contracts.sessions import Int64Array
from shared.contracts.splits import trading_days
from shared.errors import InvalidInput

#: symbols that are looked through for the worst: each one's bars are read once for it
_LOOKED_AT = 1_000
#: how far bars are looked for beside a minute, and how many of them are shown on either side
_NEARBY, _EACH_SIDE = timedelta(days=4), 5


@dataclass(frozen=True, kw_only=True)
class GapSummary:
    """Runs and minutes of missing bars of one reason, and the longest run."""

    why: Why
    runs: int
    minutes: int
    longest: int


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """Everything that is known against a symbol's bars. `completeness`: stored / (stored + gap minutes), 0..1."""

    coverage: SymbolCoverage
    completeness: float
    gaps: list[GapSummary]
    #: refused rows by reason
    quarantine: dict[str, int]
    suspected_splits: list[SuspectedSplit]
    #: dividends that adjust nothing
    impossible_dividends: list[ImpossibleDividend]
    failed_asks: list[FailedAsk]
    sessions: list[SessionCoverage]


@dataclass(frozen=True, kw_only=True)
class Marked:
    """Symbols with something against them, most gap minutes first, of the first `looked_at` of all `symbols`."""

    found: list[SymbolCoverage]
    looked_at: int
    symbols: int


class Quality:
    def __init__(self, store: BarStore, bars: Bars) -> None:
        self._store = store
        self._bars = bars
        self._reader = Reader(store)
        self._splits: dict[str, tuple[str, list[SuspectedSplit]]] = {}

    def missing(self, symbol: str) -> Missing:
        """Return the symbol's expected minutes without a bar. Raises NotFound when it has no bars."""
        return self._store.minutes(self._bars.stock(symbol).symbol).missing

    def gaps(
        self, symbol: str, start: datetime | None = None, end: datetime | None = None, why: Why | None = None
    ) -> list[Gap]:
        """Return the runs of missing minutes that touch [start, end). Raises NotFound when the symbol has no bars."""
        return [
            gap
            for gap in gaps(self.missing(symbol))
            if (why is None or gap.why is why)
            and (start is None or gap.end > start)
            and (end is None or gap.start < end)
        ]

    def report(self, symbol: str) -> QualityReport:
        """Return what is known of the symbol's bars. Raises NotFound when it has none."""
        refused = self._store.quarantine.read(symbol)
        coverage = self._bars.coverage_of(symbol, refused.height)
        minutes = self._store.minutes(symbol)
        runs, sessions = gaps(minutes.missing), minutes.sessions(symbol)
        return QualityReport(
            coverage=coverage,
            completeness=coverage.completeness,
            gaps=[_summary(why, [gap.minutes for gap in runs if gap.why is why]) for why in Why],
            quarantine=dict(refused["reason"].value_counts(sort=True).iter_rows()),
            suspected_splits=self._suspected(symbol),
            impossible_dividends=self._reader.impossible_dividends(self._reader.names(symbol)),
            failed_asks=self._store.asks.failed_asks(symbol),
            sessions=sessions,
        )

    def marked(self) -> Marked:
        """Return the symbols that have gaps, refused rows or made-up bars."""
        covered, symbols = self._bars.coverage(search="", sort="symbol", offset=0, limit=_LOOKED_AT)
        found = [one for one in covered if one.gap_minutes or one.quarantined or one.filled]
        found.sort(key=lambda one: (-one.gap_minutes, -one.quarantined, one.symbol))
        return Marked(found=found, looked_at=len(covered), symbols=symbols)

    def gap_minutes_by_candle(self, symbol: str, starts_us: Int64Array, end: datetime | None) -> Int64Array:
        """Return how many gap minutes lie between each candle's start (ascending) and the next one's; shape (n,).

        The last candle reaches to `end`, for ever when that is None.
        """
        return _by_candle(self._store.minutes(symbol).missing.gaps_us(), starts_us, end)

    def reasons(self) -> dict[str, int]:
        """Count the refused rows of all symbols by reason, the most frequent first."""
        rows = self._store.quarantine.read()
        return dict(rows["reason"].value_counts(sort=True).iter_rows())

    def check_reason(self, part: str) -> None:
        """Raise InvalidInput, naming the reasons there are, when `part` is in none of them."""
        if not any(part in reason for reason in Reason) and not any(part in reason for reason in self.reasons()):
            raise InvalidInput(f"reason {part!r} is no part of one: use {'; '.join(Reason)}")

    def refused_by_candle(self, symbol: str, starts_us: Int64Array, end: datetime | None) -> Int64Array:
        """Return how many refused rows lie between each candle's start and the next one's, as gap minutes do."""
        refused = self._store.quarantine.snapshots([symbol])[symbol]
        return _by_candle(self._store.quarantine.times_us(refused), starts_us, end)

    def nearby(self, symbol: str, at: datetime) -> list[dict[str, object]]:
        """Return the stored bars next to the minute `at`, and the refused rows (those with a reason) among them."""
        stored = self._store.read(self._store.snapshot(symbol, at - _NEARBY, at + _NEARBY))
        return nearby(stored, self._store.quarantine.read(symbol), at, _EACH_SIDE).to_dicts()

    def quarantined(
        self, symbol: str | None, reason: str | None, offset: int, limit: int
    ) -> tuple[list[dict[str, object]], int]:
        """Return a page of refused rows, newest first, and how many there are; `reason` is a part of the reason.

        `releasable` tells whether a row can be a bar at all.
        """
        return _page(self._store.quarantine.read(symbol), reason, offset, limit)

    def refused(
        self, symbol: str | None, reason: str | None, offset: int, limit: int
    ) -> tuple[RefusedRows, list[dict[str, object]], int]:
        """Return the refused rows of all symbols by reason, with when, and what `quarantined` does: of one read."""
        rows = self._store.quarantine.read()
        own = rows if symbol is None else rows.filter(pl.col("symbol") == symbol)
        return refused_rows(rows), *_page(own, reason, offset, limit)

    def _suspected(self, symbol: str) -> list[SuspectedSplit]:
        """Return the suspected splits of a stock; looked for once for each state of the bars and actions."""
        if is_index(symbol) or crypto_pair(symbol):
            return []
        daily = Wanted(symbol=symbol, timeframe=Timeframe.D1)
        names = self._reader.names(symbol)
        state = self._store.actions.version([name.symbol for name in names]) + "".join(
            store.snapshot(name.symbol, name.start, name.end).version
            for name in names
            for store in (self._store, self._store.days)
        )
        known, found = self._splits.get(symbol, ("", []))
        if known != state:
            rows = self._reader.read(daily).rows
            found = suspected_splits(rows, trading_days(rows["ts"]), self._reader.actions(names))
            self._splits[symbol] = (state, found)
        return found


def _page(rows: pl.DataFrame, reason: str | None, offset: int, limit: int) -> tuple[list[dict[str, object]], int]:
    if reason:
        rows = rows.filter(pl.col("reason").str.contains(reason, literal=True))
    rows = rows.sort(["received", "symbol", "ts", "id"], descending=[True, False, False, False])
    page = rows.slice(offset, limit)
    return page.with_columns(releasable=flaws(page).is_null()).to_dicts(), rows.height


def _by_candle(minutes: Int64Array, starts_us: Int64Array, end: datetime | None) -> Int64Array:
    if not len(starts_us):
        return np.zeros(0, np.int64)
    if end is not None:
        minutes = minutes[minutes < in_us(end)]
    row = np.searchsorted(starts_us, minutes, side="right") - 1
    return np.bincount(row[row >= 0], minlength=len(starts_us))


def _summary(why: Why, minutes: list[int]) -> GapSummary:
    return GapSummary(why=why, runs=len(minutes), minutes=sum(minutes), longest=max(minutes, default=0))
