"""Batches as they are asked for and shown."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from optimization_service.domain.batch import THRESHOLDS
from optimization_service.domain.clusters import Cluster
from optimization_service.domain.figures import Heatmap
from optimization_service.domain.halves import Halves
from optimization_service.domain.luck import Luck
from optimization_service.domain.records import BatchState, Member
from optimization_service.domain.search import Method, Search
from optimization_service.domain.space import Axis
from optimization_service.use_cases import BatchView, Study, Wish
from shared.contracts.messages import Costs, Fingerprint, Instant, Symbol, Window


class BatchRequest(BaseModel):
    """Try models on symbols under settings.

    Give `models`, or `top`: that many models of the highest out-of-sample rank correlation; of those, pairs without
    bars after the training are left out. `symbols` empty: each model's own. The window of a pair runs from `start`,
    or the end of the model's training, to `end`. Without `end` it stops where the days end that a search chose the
    model on; for other models, and a `start` after those days, at the end of the symbol's stored bars.

    `axes` are fields of a setting and the values to try: a plain value is one of the field, an object sets several
    fields that go together. Fields that no axis names keep their default; without any axes the usual ones are tried:
    thresholds, the outlier filter and the volatility-scaled threshold, the bot, each regime that the features have.
    `method`: exhaustive tries every combination, random draws `trials` of them, guided lets Optuna's TPE choose
    `trials` of them in rounds of `round_size`, to make `objective` large.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[Fingerprint, ...] = ()
    top: int = Field(default=0, ge=0, le=1_000)
    symbols: tuple[Symbol, ...] = ()
    start: Instant | None = None
    end: Instant | None = None
    axes: dict[str, tuple[JsonValue, ...]] = {}
    method: Method = Method.EXHAUSTIVE
    trials: int = Field(default=500, ge=1, le=100_000)
    seed: int = Field(default=7, ge=0, lt=2**31)
    round_size: int = Field(default=50, ge=1, le=1_000)
    objective: str = "sharpe"
    costs: Costs = Costs()
    starting_cash: float = Field(default=100_000.0, gt=0, allow_inf_nan=False)
    priority: float = Field(default=0.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        if bool(self.models) == (self.top > 0):
            raise ValueError("name models, or say how many of the top ones: one of the two")
        return self

    def wish(self) -> Wish:
        return Wish(
            models=self.models,
            top=self.top,
            symbols=self.symbols,
            start=self.start,
            end=self.end,
            axes={"threshold": THRESHOLDS, **self.axes} if self.axes else {},
            search=Search(
                method=self.method,
                trials=self.trials,
                seed=self.seed,
                round_size=self.round_size,
                objective=self.objective,
            ),
            costs=self.costs,
            starting_cash=self.starting_cash,
            priority=self.priority,
        )


class BatchAccepted(BaseModel):
    """`reused`: the same batch is there already; `job_id` is the job that made it, or is making it."""

    batch: str
    job_id: int
    link: str
    reused: bool


class BatchOut(BaseModel):
    """A batch and how far it is. `done` and `total` count trials; `failed` of them have no figures."""

    fingerprint: str
    state: BatchState
    note: str
    done: int
    total: int
    pairs: int
    settings: int
    method: Method
    trials: int
    best_sharpe: float | None
    failed: int
    job_id: int
    created_at: datetime
    ranked_at: datetime | None

    @classmethod
    def of(cls, view: BatchView) -> Self:
        record, standing = view.record, view.standing
        return cls(
            fingerprint=record.fingerprint,
            state=standing.state,
            note=standing.note,
            done=standing.done,
            total=standing.total,
            pairs=record.pairs,
            settings=view.batch.space.settings,
            method=view.batch.search.method,
            trials=record.trials,
            best_sharpe=record.best_sharpe,
            failed=record.failed,
            job_id=record.job_id,
            created_at=record.created_at,
            ranked_at=record.ranked_at,
        )


class MemberOut(BaseModel):
    """One model on one symbol: how many of its trials have figures, and why others have none."""

    model: str
    symbol: str
    window: Window
    error: str | None
    trials: int
    failed: int
    best_sharpe: float | None

    @classmethod
    def of(cls, member: Member) -> Self:
        window = Window(start=member.window_start, end=member.window_end)
        own = {name: getattr(member, name) for name in cls.model_fields if name != "window"}
        return cls.model_validate({**own, "window": window})


class LuckOut(BaseModel):
    """Trials made, the best Sharpe among them, and the one that as many worthless trials would have shown."""

    model_config = ConfigDict(from_attributes=True)

    trials: int
    best_sharpe: float | None
    sharpe_by_luck: float | None


class BatchDetailOut(BatchOut):
    """A batch with what was asked, its members and its honest line."""

    axes: list[Axis]
    search: Search
    costs: Costs
    starting_cash: float
    members: list[MemberOut]
    luck: LuckOut

    @classmethod
    def with_members(cls, view: BatchView, members: list[Member], luck: Luck) -> Self:
        batch = view.batch
        return cls(
            **BatchOut.of(view).model_dump(),
            axes=list(batch.axes),
            search=batch.search,
            costs=batch.costs,
            starting_cash=batch.starting_cash,
            members=[MemberOut.of(member) for member in members],
            luck=LuckOut.model_validate(luck),
        )


class HeatmapOut(BaseModel):
    """Sharpe ratios by two parameters: a row for each of `row_values`; None where no trial has one."""

    model_config = ConfigDict(from_attributes=True)

    rows: str
    columns: str
    row_values: list[str]
    column_values: list[str]
    cells: list[list[float | None]]
    trials: list[list[int]]

    @classmethod
    def of(cls, heat: Heatmap) -> Self:
        return cls.model_validate(heat)


class ClusterOut(BaseModel):
    """Good trials that lie next to each other in the grid."""

    trials: int
    best: float
    median: float
    model: str
    symbol: str
    where: dict[str, str]

    @classmethod
    def of(cls, cluster: Cluster, view: BatchView) -> Self:
        pair = view.batch.pairs[cluster.pair]
        own = {name: getattr(cluster, name) for name in ("trials", "best", "median", "where")}
        return cls(**own, model=pair.model, symbol=pair.symbol)


class HalvesOut(BaseModel):
    """Sharpe ratios of the first and the second half of each trial's sessions, and how far they agree."""

    first: list[float | None]
    second: list[float | None]
    rank_correlation: float | None
    kept: float | None
    deflated: float | None

    @classmethod
    def of(cls, halves: Halves) -> Self:
        return cls(
            first=[_known(value) for value in halves.first.tolist()],
            second=[_known(value) for value in halves.second.tolist()],
            rank_correlation=halves.rank_correlation,
            kept=halves.kept,
            deflated=halves.deflated,
        )


class StudyOut(BaseModel):
    """A batch's Sharpe ratios in the order the trials were chosen, the best up to each, and what they say together.

    `importance`: each parameter's share of their variance. `clusters`: where good trials lie next to each other.
    """

    sharpe: list[float | None]
    best: list[float | None]
    importance: dict[str, float]
    clusters: list[ClusterOut]
    heatmap: HeatmapOut | None

    @classmethod
    def of(cls, study: Study, view: BatchView) -> Self:
        return cls(
            sharpe=[_known(value) for value in study.figures.values.tolist()],
            best=[_known(value) for value in study.best.tolist()],
            importance=dict(study.importance),
            clusters=[ClusterOut.of(cluster, view) for cluster in study.clusters],
            heatmap=None if study.heatmap is None else HeatmapOut.of(study.heatmap),
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
