"""What the routes about providers answer."""

from __future__ import annotations

from pydantic import BaseModel

from ingestion_service.domain.spans import Answered, FailedAsk


class AsksAnswer(BaseModel):
    """What providers were asked of a symbol: spans [start, end) in UTC."""

    symbol: str
    answered: list[Answered]
    failed: list[FailedAsk]
