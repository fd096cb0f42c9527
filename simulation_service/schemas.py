"""What the service is asked by its form, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, Field, model_validator

from shared.contracts.messages import Costs, Day, Fill, Fingerprint, Metrics, Setting, Sweep, Symbol, Window, midnight
from shared.web.forms import Listed
from shared.web.pagination import PageNumbers, sort_of
from simulation_service.domain.records import Run, SweepRecord
from simulation_service.store import RunFilter

SortColumn = Literal[
    "created_at", "threshold", "hold_bars", "delay_bars", "total_return", "buy_hold_return", "sharpe", "max_drawdown",
    "sqn", "sqn100", "profit_factor", "trades", "win_rate", "hit_rate", "exposure", "costs_paid", "final_equity",
    "timing_alpha_t",
]  # fmt: skip


def run_filter(
    paging: PageNumbers,
    sort: str,
    *,
    symbol: str | None = None,
    model: str | None = None,
    sweep: str | None = None,
    min_trades: int = 0,
) -> RunFilter:
    """Return the store's filter of a list's query parameters. Raises InvalidInput for a column that does not sort."""
    column, descending = sort_of(sort, get_args(SortColumn))
    return RunFilter(
        symbol=symbol.upper() if symbol else None,
        model=model or None,
        sweep=sweep or None,
        min_trades=min_trades,
        sort=column,
        descending=descending,
        limit=paging.per_page,
        offset=paging.offset,
    )


class RunOut(BaseModel):
    """One setting of a sweep and what it earned."""

    id: str
    sweep: str
    index: int
    model: str
    symbol: str
    window: Window
    evidence: Literal["frozen", "folds"]
    setting: Setting
    metrics: Metrics
    created_at: datetime

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls.model_validate(
            {
                "id": run.id,
                "sweep": run.sweep,
                "index": run.index,
                "model": run.model,
                "symbol": run.symbol,
                "window": Window(start=run.window_start, end=run.window_end),
                "evidence": run.evidence,
                "setting": run.setting,
                "metrics": run.metrics,
                "created_at": run.created_at,
            }
        )


class SweepRunOut(BaseModel):
    """A run inside its sweep's answer."""

    id: str
    index: int
    setting: Setting
    metrics: Metrics


class SweepSummary(BaseModel):
    """A sweep without its runs. `settings` is how many it has."""

    fingerprint: str
    model: str
    symbol: str
    window: Window
    costs: Costs
    starting_cash: float
    evidence: Literal["frozen", "folds"]
    baseline_sweep: str | None
    baseline_settings: list[int]
    data_version: str
    code_version: str
    bars: int
    sessions: int
    created_at: datetime
    settings: int
    best_sharpe: float | None

    @classmethod
    def of(cls, record: SweepRecord) -> Self:
        return cls.model_validate(record, from_attributes=True)


class SweepOut(BaseModel):  # one screen, spelt out: it is what other services read
    """A sweep with all its runs, in the order of its settings."""

    fingerprint: str
    model: str
    symbol: str
    window: Window
    costs: Costs
    starting_cash: float
    evidence: Literal["frozen", "folds"]
    baseline_sweep: str | None
    baseline_settings: list[int]
    data_version: str
    code_version: str
    bars: int
    sessions: int
    created_at: datetime
    settings: list[Setting]
    runs: list[SweepRunOut]

    @classmethod
    def of(cls, record: SweepRecord, runs: list[Run]) -> Self:
        summary = SweepSummary.of(record).model_dump(exclude={"settings", "best_sharpe"})
        items = [SweepRunOut(id=run.id, index=run.index, setting=run.setting, metrics=run.metrics) for run in runs]
        return cls(**summary, settings=[run.setting for run in runs], runs=items)


class RunDetailOut(RunOut):
    """A run with what its sweep fixed for all settings."""

    costs: Costs
    starting_cash: float
    data_version: str
    code_version: str

    @classmethod
    def with_sweep(cls, run: Run, sweep: SweepRecord) -> Self:
        return cls(
            **RunOut.of(run).model_dump(),
            costs=sweep.costs,
            starting_cash=sweep.starting_cash,
            data_version=sweep.data_version,
            code_version=sweep.code_version,
        )


Threshold = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class SimulateForm(BaseModel):
    """What the page's form sends. Days begin at 00:00 UTC; the last one is not included."""

    model: Fingerprint
    symbol: Symbol
    start: Day
    end: Day
    thresholds: Annotated[tuple[Threshold, ...], Listed] = (0.0001, 0.0005, 0.001, 0.002)
    hold_bars: Annotated[tuple[Count, ...], Listed] = (0, 15)
    side: Literal["long_flat", "long_short"] = "long_flat"
    delay_bars: int = Field(default=1, ge=1, le=60)
    fill: Fill = Fill.OPEN
    fee_per_fill: float = Field(default=0.02, ge=0, allow_inf_nan=False)
    half_spread_bps: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    starting_cash: float = Field(default=100_000.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"the window starts on {self.start} but ends on {self.end}: start must come first")
        if not 1 <= len(self.thresholds) * len(self.hold_bars) <= 1_000:
            raise ValueError(
                f"{len(self.thresholds)} thresholds x {len(self.hold_bars)} holding times: "
                "between 1 and 1,000 settings a sweep"
            )
        return self

    def sweep(self) -> Sweep:
        settings = tuple(
            Setting(threshold=threshold, side=self.side, hold_bars=hold, delay_bars=self.delay_bars, fill=self.fill)
            for hold in self.hold_bars
            for threshold in self.thresholds
        )
        window = Window(start=midnight(self.start), end=midnight(self.end))
        costs = Costs(fee_per_fill=self.fee_per_fill, half_spread_bps=self.half_spread_bps)
        return Sweep(
            model=self.model,
            symbol=self.symbol,
            window=window,
            settings=settings,
            costs=costs,
            starting_cash=self.starting_cash,
        )
