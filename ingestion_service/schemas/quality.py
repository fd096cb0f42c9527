"""What the routes about gaps, refused rows and corporate actions take and answer."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from ingestion_service.domain.actions import Kind
from ingestion_service.domain.requests import CompareBars, FillGaps
from ingestion_service.use_cases.actions import Action
from shared.contracts.messages import Day, Moment, Symbol


class BackfillQuery(BaseModel):
    """How gaps are to be filled; see domain/filling.py and domain/gaps.py."""

    model_config = ConfigDict(extra="forbid")

    max_iterations: int = Field(default=9, ge=1, le=9)
    no_trade: bool = False
    provider: str | None = None

    def request(self, symbol: str) -> FillGaps:
        return FillGaps(symbol=symbol, **self.model_dump())


class CompareBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    start: Moment
    end: Moment
    provider: str

    def request(self, symbol: str) -> CompareBars:
        return CompareBars(symbol=symbol, **self.model_dump())


class Dropped(BaseModel):
    symbol: str
    dropped: int


class QuarantinedRow(BaseModel):
    """A row that came in and is not a bar; null where its source gave nothing that can be read as such."""

    symbol: str
    id: str
    ts: datetime | None
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    said: str | None
    reason: str
    source: str
    received: datetime


class NewAction(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Kind
    ex_date: Day
    value: float | None = None
    factor: float | None = None
    former: Symbol | None = None

    def action(self) -> Action:
        return Action(**self.model_dump())


class ImportFactors(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1)
    glob: str | None = None
