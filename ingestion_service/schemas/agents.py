"""What the routes of agents, the watchlist, retention and monitoring take and answer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints, model_validator

from ingestion_service.domain.agents import RetentionRules
from ingestion_service.schemas.intake import AcceptedIngest
from ingestion_service.use_cases.retention import Going
from shared.contracts.messages import Day, Symbol
from shared.web.forms import Listed

#: what a universe may be called
UniverseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,39}$")]


class StartAgent(BaseModel):
    """Options of None stay as they are."""

    options: dict[str, Any] | None = None


class Watch(BaseModel):
    """What to watch from now on: symbols, or those of a universe. Bars are wanted from `since`, by default a year."""

    symbols: Annotated[list[Symbol], Listed] = Field(default_factory=list, max_length=1_000)
    universe: UniverseName | None = None
    since: Day | None = None
    live: bool = True

    @model_validator(mode="after")
    def _something(self) -> Watch:
        if bool(self.symbols) == bool(self.universe):
            raise ValueError("name either symbols or a universe")
        return self


class WatchAccepted(BaseModel):
    """The backfill of each symbol is queued."""

    jobs: list[AcceptedIngest]


class UniverseSymbols(BaseModel):
    symbols: Annotated[list[Symbol], Listed] = Field(min_length=1, max_length=5_000)


class UniverseForm(UniverseSymbols):
    name: UniverseName


class RetentionAnswer(BaseModel):
    """The rules, and what a run would remove now."""

    rules: RetentionRules
    would_remove: list[Going]
