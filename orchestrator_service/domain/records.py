"""What is stored of a search: runs, models, trials, looks, promotions; rows as they are, with their parts typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator_service.domain.gate import Evidence, Member
from orchestrator_service.domain.holdout import Vintage
from orchestrator_service.domain.plan import Rules, SearchPlan
from orchestrator_service.domain.verdict import Verdict
from orchestrator_service.domain.windows import Periods
from shared.contracts.messages import Metrics, Setting, Train

Json = dict[str, Any]


class RunState(StrEnum):
    """Where a run is in its life; the last three are ends."""

    RUNNING = "running"
    #: went through to its end, whether or not anything was promoted
    COMPLETED = "completed"
    #: could not go on; `reason` says why
    FAILED = "failed"
    #: somebody called it off
    CANCELLED = "cancelled"


class ModelState(StrEnum):
    """What became of a model of the lineage."""

    WAITING = "waiting"
    TRAINED = "trained"
    #: was not among the strongest of its generation, so it has no children
    PRUNED = "pruned"
    FAILED = "failed"
    #: went before the holdout
    NOMINATED = "nominated"
    #: confirmed by the holdout
    PROMOTED = "promoted"


class TrialState(StrEnum):
    """What became of one setting of one model on SELECT. All of them count."""

    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"
    #: its run ended before it was simulated
    ABORTED = "aborted"


@dataclass(frozen=True, kw_only=True)
class Run:
    id: str
    symbol: str
    plan: SearchPlan
    periods: Periods
    data_version: str
    obstacle: str | None
    state: RunState
    stage: str
    generation: int
    reason: str | None
    evidence: Evidence | None
    verdict: Verdict | None
    job_id: int | None
    created_at: datetime
    finished_at: datetime | None

    def __post_init__(self) -> None:
        _retype(self, plan=SearchPlan, periods=Periods, evidence=Evidence, verdict=Verdict)
        object.__setattr__(self, "state", RunState(self.state))


@dataclass(frozen=True, kw_only=True)
class Model:
    run: str
    slot: int
    generation: int
    request: Train
    priority: float
    parent: str | None
    fingerprint: str | None
    artefact: str | None
    features: list[str] | None
    importance: dict[str, float] | None
    state: ModelState
    error: str | None
    sweep: str | None
    best_setting: int | None
    select_metrics: Metrics | None
    confirm_metrics: Metrics | None

    def __post_init__(self) -> None:
        _retype(self, request=Train, select_metrics=Metrics, confirm_metrics=Metrics)
        object.__setattr__(self, "state", ModelState(self.state))

    @property
    def name(self) -> str:
        """Fingerprint of a trained model. Raises LookupError for one that is not."""
        if self.fingerprint is None:
            raise LookupError(f"model {self.slot} of run {self.run[:10]} is {self.state} and has no fingerprint")
        return self.fingerprint


@dataclass(frozen=True, kw_only=True)
class Trial:
    run: str
    slot: int
    setting: int
    spec: Setting
    state: TrialState
    metrics: Metrics | None
    error: str | None

    def __post_init__(self) -> None:
        _retype(self, spec=Setting, metrics=Metrics)
        object.__setattr__(self, "state", TrialState(self.state))


@dataclass(frozen=True, kw_only=True)
class Look:
    """A look charged to a vintage: the `number`-th of `number_of`."""

    vintage: str
    number: int
    number_of: int
    run: str
    level: float
    nomination: list[Json]
    p: float | None
    passed: bool | None
    logged_at: datetime

    @property
    def members(self) -> list[Member]:
        return [Member.model_validate(member) for member in self.nomination]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    run: str
    symbol: str
    place: int
    kind: str
    model: str | None
    setting: Json | None
    record: Json
    promoted_at: datetime

    @property
    def loosened(self) -> list[str]:
        """Rules it was promoted under that promised less than the measured ones."""
        return list(Rules.model_validate(self.record["rules"]).loosened())


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far one generation is."""

    generation: int
    models: int
    trained: int
    failed: int
    trials: int
    done: int
    best_sqn100: float | None


@dataclass(frozen=True, kw_only=True)
class KnownRequest:
    """What a client's key stands for."""

    key: str
    body: str
    runs: list[str]


@dataclass(frozen=True)
class Account:
    """A vintage and how many of its looks are spent."""

    vintage: Vintage
    used: int

    @property
    def left(self) -> int:
        return max(0, self.vintage.looks - self.used)


def _retype(row: object, **fields: type[Any]) -> None:
    """Turn JSON columns into the messages they were written from; None stays None."""
    for name, message in fields.items():
        value = getattr(row, name)
        if isinstance(value, dict):
            object.__setattr__(row, name, message.model_validate(value))
