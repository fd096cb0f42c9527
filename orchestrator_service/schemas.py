"""What the service is asked and what it answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from orchestrator_service.domain.gate import Evidence
from orchestrator_service.domain.plan import SearchPlan
from orchestrator_service.domain.records import Model, Promotion
from orchestrator_service.domain.verdict import Verdict
from orchestrator_service.domain.windows import Periods
from orchestrator_service.use_cases import RunView
from shared.contracts.messages import Day, Estimator, Metrics, Symbol, midnight


class EvolveRequest(SearchPlan):
    """Search models for each of `symbols`: one run a symbol, all by the same plan.

    `key` names the request: sent again with the same body it returns the same runs, with another body it is refused.
    """

    key: str | None = Field(default=None, min_length=1, max_length=200)
    symbols: tuple[Symbol, ...] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError(f"symbols {', '.join(self.symbols)}: name each at most once")
        return self

    def plan(self) -> SearchPlan:
        return SearchPlan(**self.model_dump(exclude={"key", "symbols"}))


def _words(value: object) -> object:
    """Split what a form's field holds at commas and spaces."""
    return [word for word in value.replace(",", " ").split() if word] if isinstance(value, str) else value


Numbers = Annotated[tuple[int, ...], BeforeValidator(_words)]


class EvolveForm(BaseModel):
    """The start form: the plan's most used parts; everything else is as the API's defaults."""

    symbols: Annotated[tuple[Symbol, ...], BeforeValidator(_words)] = Field(min_length=1, max_length=50)
    feature_set: str = "core"
    estimators: Annotated[tuple[Estimator, ...], BeforeValidator(_words)] = SearchPlan().estimators
    horizons: Numbers = SearchPlan().horizons
    generations: int = SearchPlan().generations
    survivors: int = SearchPlan().survivors
    start: Day | None = None
    end: Day | None = None
    half_spread_bps: float = SearchPlan().costs.half_spread_bps
    seed: int = SearchPlan().seed

    def request(self) -> EvolveRequest:
        """Return the same as the API's body. Raises pydantic's ValidationError."""
        body = self.model_dump(exclude={"half_spread_bps"})
        body |= {"start": _midnight(self.start), "end": _midnight(self.end)}
        body["costs"] = {"half_spread_bps": self.half_spread_bps}
        return EvolveRequest.model_validate(body)


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else midnight(day)


class RunLink(BaseModel):
    id: str
    symbol: str
    state: str
    link: str


class EvolveAnswer(BaseModel):
    """The runs of a request. `job_id` is the first run's first job; `link` the first run."""

    key: str | None
    job_id: int | None
    link: str
    runs: list[RunLink]

    @classmethod
    def of(cls, key: str | None, views: list[RunView]) -> Self:
        runs = [
            RunLink(id=one.run.id, symbol=one.run.symbol, state=one.run.state, link=f"/runs/{one.run.id}")
            for one in views
        ]
        return cls(key=key, job_id=views[0].run.job_id, link=runs[0].link, runs=runs)


class FunnelOut(BaseModel):
    trials: int
    live: int
    nominated: int
    confirmed: int


class LooksOut(BaseModel):
    """The account that the run's look is charged to; `number` is the run's own look, if it had one."""

    vintage: str
    used: int
    of: int
    left: int
    level: float
    number: int | None


class GenerationOut(BaseModel):
    generation: int
    models: int
    trained: int
    failed: int
    trials: int
    done: int
    best_sqn100: float | None


class ModelOut(BaseModel):
    """A model of the lineage."""

    run: str
    slot: int
    generation: int
    estimator: str
    horizon_bars: int
    parent: str | None
    fingerprint: str | None
    artefact: str | None
    features: list[str] | None
    importance: dict[str, float] | None
    state: str
    error: str | None
    sweep: str | None
    best_setting: int | None
    select_metrics: Metrics | None
    confirm_metrics: Metrics | None

    @classmethod
    def of(cls, model: Model) -> Self:
        own = {name: getattr(model, name) for name in cls.model_fields if hasattr(model, name)}
        request = model.request
        return cls(**own, estimator=request.estimator, horizon_bars=request.target.horizon_bars)


class RunSummary(BaseModel):
    """A run in a list."""

    id: str
    symbol: str
    state: str
    stage: str
    generation: int
    generations: int
    reason: str | None
    sentence: str
    funnel: FunnelOut
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, view: RunView) -> Self:
        return cls(**_summary(view))


class RunOut(RunSummary):
    """A run in full."""

    obstacle: str | None
    loosened: list[str]
    data_version: str
    job_id: int | None
    plan: SearchPlan
    periods: Periods
    progress: list[GenerationOut]
    looks: LooksOut | None
    evidence: Evidence | None
    verdict: Verdict | None
    models: list[ModelOut]

    @classmethod
    def of(cls, view: RunView) -> Self:
        run = view.run
        own = {name: getattr(run, name) for name in ("obstacle", "data_version", "job_id", "plan", "periods")}
        return cls(
            **_summary(view),
            **own,
            loosened=list(run.plan.rules.loosened()),
            progress=[GenerationOut.model_validate(one, from_attributes=True) for one in view.progress],
            looks=_looks(view),
            evidence=run.evidence,
            verdict=run.verdict,
            models=[ModelOut.of(model) for model in view.models],
        )


class PromotionOut(BaseModel):
    run: str
    symbol: str
    place: int
    kind: str
    model: str | None
    setting: dict[str, Any] | None
    #: rules that promised less than the measured ones; empty for a promotion that can be quoted without them
    loosened: list[str]
    record: dict[str, Any]
    promoted_at: datetime

    @classmethod
    def of(cls, promotion: Promotion) -> Self:
        return cls.model_validate(promotion, from_attributes=True)


class LineageOut(BaseModel):
    """A model with its ancestors and descendants; `edges` are [parent, child] fingerprints."""

    focus: str
    ancestors: list[str]
    descendants: list[str]
    edges: list[tuple[str, str]]
    models: list[ModelOut]


def _summary(view: RunView) -> dict[str, Any]:
    run = view.run
    names = ("id", "symbol", "state", "stage", "generation", "reason", "created_at", "finished_at")
    return {
        **{name: getattr(run, name) for name in names},
        "generations": run.plan.generations,
        "sentence": view.sentence,
        "funnel": FunnelOut.model_validate(view.funnel, from_attributes=True),
    }


def _looks(view: RunView) -> LooksOut | None:
    if view.account is None:
        return None
    vintage = view.account.vintage
    return LooksOut(
        vintage=vintage.id,
        used=view.account.used,
        of=vintage.looks,
        left=view.account.left,
        level=vintage.level,
        number=view.look.number if view.look else None,
    )
