"""What the routes about providers answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from ingestion_service.domain.requests import FetchActions
from ingestion_service.domain.spans import Answered, FailedAsk
from ingestion_service.schemas.order import after_start
from shared.contracts.messages import Day


class AsksAnswer(BaseModel):
    """Who is asked for a symbol, in order, and what they were asked so far: spans [start, end) in UTC."""

    symbol: str
    chain: tuple[str, ...]
    answered: list[Answered]
    failed: list[FailedAsk]


class AskForActions(BaseModel):
    """The days whose corporate actions are wanted, [start, end)."""

    model_config = ConfigDict(extra="forbid")

    start: Day
    end: Day
    provider: str | None = None

    _ordered = field_validator("end")(after_start)

    def request(self, symbol: str) -> FetchActions:
        return FetchActions(symbol=symbol, start=self.start, end=self.end, provider=self.provider)
