"""What the routes of agents, the watchlist, retention and monitoring take and answer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from ingestion_service.domain.agents import LONGEST_DAYS, RetentionRules
from ingestion_service.schemas.intake import AcceptedIngest, Ticker
from ingestion_service.schemas.pairs import named_pairs
from ingestion_service.use_cases.retention import Going
from shared.contracts.messages import Day
from shared.web.forms import Listed

#: what a universe may be called
UniverseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,39}$")]


class StartAgent(BaseModel):
    """Options of None stay as they are."""

    model_config = ConfigDict(extra="forbid")

    options: dict[str, Any] | None = None


class Watch(BaseModel):
    """What to watch from now on: symbols, or those of a universe. Bars are wanted from `since`, by default a year."""

    model_config = ConfigDict(extra="forbid")

    symbols: Annotated[list[Ticker], Listed] = Field(default_factory=list, max_length=1_000)
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
    model_config = ConfigDict(extra="forbid")

    symbols: Annotated[list[Ticker], Listed] = Field(min_length=1, max_length=5_000)


class UniverseForm(BaseModel):
    """The form: a field of its own name, for the page has another one for symbols."""

    model_config = ConfigDict(extra="forbid")

    name: UniverseName
    members: Annotated[list[Ticker], Listed] = Field(min_length=1, max_length=5_000)


class RetentionForm(BaseModel):
    """The rules as a form has them: what is empty is never removed; `datasets` as "name = days", by commas or lines."""

    model_config = ConfigDict(extra="forbid")

    superseded_days: float | None = Field(default=None, ge=0.05, le=LONGEST_DAYS)
    jobs_days: float | None = Field(default=None, ge=1, le=LONGEST_DAYS)
    datasets: dict[str, Annotated[float, Field(ge=1, le=LONGEST_DAYS)]] = Field(default_factory=dict)

    @field_validator("datasets", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        return (
            named_pairs(value, "write rules as name = days, e.g. bars_1m = 3650") if isinstance(value, str) else value
        )

    def rules(self) -> RetentionRules:
        return RetentionRules(**self.model_dump())

    @classmethod
    def written(cls, rules: RetentionRules) -> dict[str, str]:
        """Return the fields of rules as they are typed."""
        return {
            "superseded_days": _days(rules.superseded_days),
            "jobs_days": _days(rules.jobs_days),
            "datasets": ", ".join(f"{name} = {days:g}" for name, days in rules.datasets.items()),
        }


class RetentionAnswer(BaseModel):
    """The rules, and what a run would remove now."""

    rules: RetentionRules
    would_remove: list[Going]


def _days(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
