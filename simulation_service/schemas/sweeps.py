"""Sweeps as the API asks for and tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from shared.contracts.messages import Costs, Message, Metrics, Setting, Sweep, Symbol, Window
from shared.web.accepted import Accepted
from simulation_service.domain.reach import remark
from simulation_service.domain.records import Evidence, Run, SweepRecord


class Simulation(Sweep):
    """A sweep that may be written with one `setting` in place of `settings`."""

    @model_validator(mode="before")
    @classmethod
    def _one_setting(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the request's body is
        if isinstance(given, dict) and "setting" in given and "settings" not in given:
            rest = {name: value for name, value in given.items() if name != "setting"}
            return {**rest, "settings": [given["setting"]]}
        return given


class Batch(Message):
    """Simulate every model that has predictions of `symbol` in `window` under each of `settings`."""

    symbol: Symbol
    window: Window
    settings: tuple[Setting, ...] = Field(min_length=1, max_length=1_000)
    costs: Costs = Costs()
    starting_cash: float = Field(default=100_000.0, gt=0)

    def sweep(self, model: str) -> Sweep:
        return Sweep(model=model, **dict(self))


class SubmittedSweep(Accepted):
    model: str


class BatchAccepted(BaseModel):
    """The jobs of a batch, one a model."""

    jobs: list[SubmittedSweep]


class SweepRunOut(BaseModel):
    """A run inside its sweep's answer."""

    id: str
    index: int
    setting: Setting
    metrics: Metrics


class _SweepFacts(BaseModel):
    """What a sweep fixed for all its settings."""

    fingerprint: str
    model: str
    symbol: str
    window: Window
    costs: Costs
    starting_cash: float
    evidence: Evidence
    baseline_sweep: str | None
    baseline_settings: list[int]
    data_version: str
    code_version: str
    bars: int
    sessions: int
    created_at: datetime


class SweepSummary(_SweepFacts):
    """A sweep without its runs. `settings` is how many it has."""

    settings: int
    best_sharpe: float | None

    @classmethod
    def of(cls, record: SweepRecord) -> Self:
        return cls.model_validate(record, from_attributes=True)


class SweepOut(_SweepFacts):
    """A sweep with all its runs, in the order of its settings: what other services read."""

    settings: list[Setting]
    runs: list[SweepRunOut]
    #: why no setting could ever trade, or that the signal knows the future; else ""
    note: str

    @classmethod
    def of(cls, record: SweepRecord, runs: list[Run]) -> Self:
        facts = _SweepFacts.model_validate(record, from_attributes=True)
        items = [SweepRunOut(id=run.id, index=run.index, setting=run.setting, metrics=run.metrics) for run in runs]
        settings = [run.setting for run in runs]
        return cls(**dict(facts), settings=settings, runs=items, note=remark(settings, record.signals))
