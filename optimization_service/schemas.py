"""What the service is asked and what it answers."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from optimization_service.domain.batch import HOLD_BARS, THRESHOLDS, Batch, Grid, HoldBars, Threshold
from optimization_service.domain.luck import Luck
from optimization_service.domain.records import BatchState, Cell, Member, Trial
from optimization_service.store import TrialFilter
from optimization_service.use_cases import BatchView, Wish
from shared.contracts.messages import Costs, Day, Fingerprint, Instant, Metrics, Setting, Symbol, Window
from shared.web.forms import Listed
from shared.web.pagination import sort_of

SortColumn = Literal[
    "threshold", "hold_bars", "delay_bars", "total_return", "buy_hold_return", "sharpe", "max_drawdown", "sqn",
    "sqn100", "profit_factor", "trades", "win_rate", "hit_rate", "exposure", "costs_paid", "final_equity",
    "timing_alpha_t",
]  # fmt: skip


class LeaderboardQuery(BaseModel):
    """Filters and order of the leaderboard. `sort=-sharpe` is highest first; undefined figures come last."""

    batch: str | None = None
    symbol: str | None = None
    model: str | None = None
    side: Literal["long_flat", "long_short"] | None = None
    threshold: float | None = None
    hold_bars: int | None = Field(default=None, ge=0, lt=2**31)
    min_trades: int = Field(default=0, ge=0, lt=2**31)
    sort: str = "-sharpe"

    def filter(self, limit: int, offset: int) -> TrialFilter:
        column, descending = sort_of(self.sort, get_args(SortColumn))
        return TrialFilter(
            batch=self.batch or None,
            symbol=self.symbol.upper() if self.symbol else None,
            model=self.model or None,
            side=self.side,
            threshold=self.threshold,
            hold_bars=self.hold_bars,
            min_trades=self.min_trades,
            sort=column,
            descending=descending,
            limit=limit,
            offset=offset,
        )


class BatchRequest(Grid):
    """Try models on symbols under every combination of the settings.

    Give `models`, or `top`: that many models of the highest out-of-sample rank correlation; of those, pairs without
    bars after the training are left out. `symbols` empty: each model's own. The window of a pair runs from `start`,
    or the end of the model's training, to `end`. Without `end` it stops where the days end that a search chose the
    model on; for other models, and a `start` after those days, at the end of the symbol's stored bars.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[Fingerprint, ...] = ()
    top: int = Field(default=0, ge=0, le=1_000)
    symbols: tuple[Symbol, ...] = ()
    start: Instant | None = None
    end: Instant | None = None
    costs: Costs = Costs()
    starting_cash: float = Field(default=100_000.0, gt=0)
    priority: float = 0.0

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
            grid=Grid.model_validate(self.model_dump(include=set(Grid.model_fields))),
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
    """A batch and how far it is. `done` and `total` count pairs of model and symbol."""

    fingerprint: str
    state: BatchState
    note: str
    done: int
    total: int
    settings: int
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
            settings=record.settings,
            trials=record.settings * record.pairs,
            best_sharpe=record.best_sharpe,
            failed=record.failed,
            job_id=record.job_id,
            created_at=record.created_at,
            ranked_at=record.ranked_at,
        )


class MemberOut(BaseModel):
    """One model on one symbol: its sweep, or why there is none."""

    model: str
    symbol: str
    window: Window
    sweep: str | None
    error: str | None
    trials: int
    best_sharpe: float | None

    @classmethod
    def of(cls, member: Member) -> Self:
        window = Window(start=member.window_start, end=member.window_end)
        return cls.model_validate(
            {
                "model": member.model,
                "symbol": member.symbol,
                "window": window,
                "sweep": member.sweep,
                "error": member.error,
                "trials": member.trials,
                "best_sharpe": member.best_sharpe,
            }
        )


class LuckOut(BaseModel):
    """Trials made, the best Sharpe among them, and the one that as many worthless trials would have shown."""

    trials: int
    best_sharpe: float | None
    sharpe_by_luck: float | None

    @classmethod
    def of(cls, luck: Luck) -> Self:
        return cls(trials=luck.trials, best_sharpe=luck.best_sharpe, sharpe_by_luck=luck.sharpe_by_luck)


class BatchDetailOut(BatchOut):
    """A batch with what was asked, its members and its honest line."""

    grid: list[Setting]
    costs: Costs
    starting_cash: float
    members: list[MemberOut]
    luck: LuckOut

    @classmethod
    def with_members(cls, view: BatchView, members: list[Member], luck: Luck) -> Self:
        batch = Batch.model_validate(view.record.definition)
        return cls(
            **BatchOut.of(view).model_dump(),
            grid=list(batch.settings),
            costs=batch.costs,
            starting_cash=batch.starting_cash,
            members=[MemberOut.of(member) for member in members],
            luck=LuckOut.of(luck),
        )


class TrialOut(Setting, Metrics):
    """A leaderboard row: each parameter and each figure a column. `run` is its id in the simulation service."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    run: str
    sweep: str
    index: int
    model: str
    symbol: str
    flag: str

    @classmethod
    def of(cls, trial: Trial) -> Self:
        return cls.model_validate(trial)


class HeatmapOut(BaseModel):
    """Sharpe ratios by holding time (rows) and threshold (columns); None where there is no trial."""

    thresholds: list[float]
    hold_bars: list[int]
    best: list[list[float | None]]
    trials: list[list[int]]

    @classmethod
    def of(cls, cells: list[Cell]) -> Self:
        by_place = {(cell.hold_bars, cell.threshold): cell for cell in cells}
        thresholds, holds = sorted({c.threshold for c in cells}), sorted({c.hold_bars for c in cells})
        rows = [[by_place.get((hold, threshold)) for threshold in thresholds] for hold in holds]
        return cls(
            thresholds=thresholds,
            hold_bars=holds,
            best=[[cell.best if cell else None for cell in row] for row in rows],
            trials=[[cell.trials if cell else 0 for cell in row] for row in rows],
        )


class BatchForm(BaseModel):
    """What the page's form sends. Days begin at 00:00 UTC; the last one is not included."""

    models: Annotated[tuple[Fingerprint, ...], Listed] = ()
    top: int = Field(default=0, ge=0, le=1_000)
    symbols: Annotated[tuple[Symbol, ...], Listed] = ()
    end: Day | None = None
    thresholds: Annotated[tuple[Threshold, ...], Listed] = THRESHOLDS
    hold_bars: Annotated[tuple[HoldBars, ...], Listed] = HOLD_BARS
    side: Literal["long_flat", "long_short", "both"] = "long_flat"
    fee_per_fill: float = Field(default=0.02, ge=0, allow_inf_nan=False)
    half_spread_bps: float = Field(default=0.5, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        if bool(self.models) == (self.top > 0):
            raise ValueError("name models, or say how many of the top ones: one of the two")
        return self

    def request(self) -> BatchRequest:
        return BatchRequest(
            models=self.models,
            top=self.top,
            symbols=self.symbols,
            end=None if self.end is None else datetime.combine(self.end, time(), UTC),
            thresholds=self.thresholds,
            hold_bars=self.hold_bars,
            sides=("long_flat", "long_short") if self.side == "both" else (self.side,),
            costs=Costs(fee_per_fill=self.fee_per_fill, half_spread_bps=self.half_spread_bps),
        )
