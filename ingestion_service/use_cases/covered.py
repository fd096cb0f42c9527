"""What is told of a stored symbol."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ingestion_service.domain.actions import Rename
from ingestion_service.domain.spans import LastFailure


def complete(stored: int, lacking: int) -> float:
    """Return what share of the minutes that should be there is stored, 0..1; 1 where none should."""
    return stored / (stored + lacking) if stored + lacking else 1.0


@dataclass(frozen=True, kw_only=True)
class SymbolCoverage:
    """How much there is of one symbol. Sessions and bars off hours are counted as in store.facts.Facts.

    Of a symbol that has daily bars only, `first` and `last` are theirs, and nothing is missing.
    """

    symbol: str
    first: datetime
    last: datetime
    rows: int
    bytes: int
    #: stored daily bars, which count as no minute, and the first and the last of them
    days: int
    first_day: date | None
    last_day: date | None
    sources: list[str]
    sessions: int
    sessions_expected: int
    #: expected minutes without a bar, and what they are: see domain/gaps.py
    missing_minutes: int
    outage_minutes: int
    refused_minutes: int
    silent_minutes: int
    no_trade_minutes: int
    #: those that nobody answered for, whose rows were refused, or that an index was silent in
    gap_minutes: int
    #: stored minutes of regular sessions over those and the gaps, 0..1; 1 where nothing is expected
    completeness: float
    off_hours: int
    #: bars made up for minutes that have no other, which only a read with filled=true shows
    filled: int
    #: rows that came in and were refused
    quarantined: int
    #: how old the last bar is
    stale_seconds: float
    #: what a provider was asked last and has not answered since; None when everything was answered
    last_error: LastFailure | None
    #: its last rename, which bars are joined over when they are read, and the one that ended this name
    formerly: Rename | None
    renamed_to: Rename | None


@dataclass(frozen=True, kw_only=True)
class SymbolSummary:
    """What is stored of a symbol: `rows` minute bars from `first` to `last`, and `days` daily bars.

    Of a symbol that has daily bars only, `first` and `last` are theirs.
    """

    symbol: str
    first: datetime
    last: datetime
    rows: int
    days: int
    #: what is stored of it: 1m, 1d
    timeframes: list[str]
    #: as SymbolCoverage has them
    formerly: Rename | None
    renamed_to: Rename | None
