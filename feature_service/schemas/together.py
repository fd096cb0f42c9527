"""What answers about several symbols, episodes and regimes look like."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from feature_service.domain.episodes import TIMEFRAMES, Option
from feature_service.domain.regimes.timeline import Span
from shared.contracts.folds import Fold
from shared.contracts.regimes import REGIMES


class OptionOut(BaseModel):
    """A named cut into episodes; `symbols` counts those with enough built sessions for one."""

    id: str
    train_days: int
    test_days: int
    anchored: bool
    sessions_needed: int
    timeframes: tuple[str, ...]
    symbols: int

    @classmethod
    def of(cls, option: Option, symbols: int) -> Self:
        return cls(**vars(option), sessions_needed=option.sessions, timeframes=tuple(TIMEFRAMES), symbols=symbols)


class SymbolOut(BaseModel):
    symbol: str
    sessions: int


class ColumnsOut(BaseModel):
    feature_set: str
    columns: tuple[str, ...]


class FoldOut(BaseModel):
    """One episode: first and last sessions, rows, and what purge and embargo took from its training days."""

    number: int
    train_sessions: tuple[str, str]
    test_sessions: tuple[str, str]
    train_rows: int
    test_rows: int
    purged: int
    embargoed: int

    @classmethod
    def of(cls, fold: Fold) -> Self:
        return cls(
            number=fold.number,
            train_sessions=fold.train_sessions,
            test_sessions=fold.test_sessions,
            train_rows=len(fold.train),
            test_rows=len(fold.test),
            purged=fold.purged,
            embargoed=fold.embargoed,
        )


class SpanOut(BaseModel):
    """Bars in a row with one label, -1 where it is unknown; `end` is the last one's start."""

    begin: datetime
    end: datetime
    label: int
    rows: int


class RegimeOut(BaseModel):
    """One regime over time; `labels` names 0, 1, ..."""

    regime: str
    labels: tuple[str, ...]
    spans: list[SpanOut]

    @classmethod
    def of(cls, regime: str, spans: list[Span]) -> Self:
        return cls(regime=regime, labels=REGIMES[regime], spans=[SpanOut(**vars(one)) for one in spans])
