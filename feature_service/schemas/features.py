"""What the service is asked and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from feature_service.domain.catalogue import FeatureSet
from feature_service.domain.feature import Feature
from feature_service.domain.records import BuiltSet
from shared.contracts.messages import BuildFeatures, Day, Symbol, Window, midnight
from shared.web.forms import Listed

#: from before any bar to after the last session the calendar knows
EVER = Window(start=datetime(1990, 1, 1, tzinfo=UTC), end=datetime(2036, 1, 1, tzinfo=UTC))


class BuildRequest(BaseModel):
    """Build one set for several symbols over one window, or over all the bars there are."""

    model_config = ConfigDict(extra="forbid")

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=500)]
    window: Window = EVER
    feature_set: str = "core"

    def each(self) -> list[BuildFeatures]:
        return [
            BuildFeatures(symbol=symbol, window=self.window, feature_set=self.feature_set)
            for symbol in dict.fromkeys(self.symbols)
        ]


class BuildJob(BaseModel):
    """One symbol's build; `link` is the job's address on this service."""

    symbol: str
    job_id: int
    link: str


class BuildAccepted(BaseModel):
    jobs: list[BuildJob]

    @classmethod
    def of(cls, requests: list[BuildFeatures], job_ids: list[int]) -> Self:
        pairs = zip(requests, job_ids, strict=True)
        return cls(jobs=[BuildJob(symbol=one.symbol, job_id=job, link=f"/jobs/{job}") for one, job in pairs])


class FeatureOut(BaseModel):
    """The declaration of one feature."""

    name: str
    group: str
    inputs: tuple[str, ...]
    params: dict[str, int | float]
    warm_up: int
    formula: str
    source: str
    stored: str
    version: int
    cumulative: bool
    context: tuple[str, ...]
    documentation: str

    @classmethod
    def of(cls, feature: Feature) -> Self:
        return cls(
            name=feature.name,
            group=feature.group,
            inputs=feature.inputs,
            params=dict(feature.params),
            warm_up=feature.warm_up,
            formula=feature.formula,
            source=feature.source,
            stored=feature.stored,
            version=feature.version,
            cumulative=feature.cumulative,
            context=feature.context,
            documentation=feature.documentation,
        )


class SetOut(BaseModel):
    """A feature set: `id` is the name its data are stored under; of how many symbols and rows it is built, and when."""

    id: str
    name: str
    columns: tuple[str, ...]
    warm_up: int
    symbols: int
    rows: int
    built_at: datetime | None

    @classmethod
    def of(cls, features: FeatureSet, built: Sequence[BuiltSet]) -> Self:
        have = next((one for one in built if one.feature_set == features.id), None)
        return cls(
            id=features.id,
            name=features.name,
            columns=features.columns,
            warm_up=features.warm_up,
            symbols=have.symbols if have else 0,
            rows=have.rows if have else 0,
            built_at=have.built_at if have else None,
        )


class BuildForm(BaseModel):
    """What the page's form sends. Days begin at 00:00 UTC; the last one is not included. Without days: all bars."""

    symbols: Annotated[tuple[Symbol, ...], Listed, Field(min_length=1, max_length=500)]
    start: Day = EVER.start.date()
    end: Day = EVER.end.date()
    feature_set: str = "core"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"the window starts on {self.start} but ends on {self.end}: start must come first")
        return self

    def request(self) -> BuildRequest:
        window = Window(start=midnight(self.start), end=midnight(self.end))
        return BuildRequest(symbols=self.symbols, window=window, feature_set=self.feature_set)
