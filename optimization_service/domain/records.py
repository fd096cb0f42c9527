"""What is stored of a batch, its members and its trials; and what state its jobs add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from optimization_service.domain.luck import FEW_TRADES
from shared.contracts.kinds import JobKind


class BatchState(StrEnum):
    """Where a batch is."""

    #: its first job waits for a worker
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    #: every member is on the leaderboard
    COMPLETED = "COMPLETED"
    #: on the leaderboard, but some members have an error instead of trials
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, kw_only=True)
class BatchRecord:
    fingerprint: str
    definition: dict[str, Any]
    pairs: int
    settings: int
    job_id: int
    created_at: datetime
    ranked_at: datetime | None
    best_sharpe: float | None
    failed: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One of a batch's own jobs, or so many members of a kind that are in a state."""

    kind: str
    state: str
    error: str | None
    jobs: int
    progress: float


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far a batch is: pairs simulated out of all, and one line for people."""

    state: BatchState
    done: int
    total: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Member:
    """One pair of a batch."""

    model: str
    symbol: str
    window_start: datetime
    window_end: datetime
    sweep: str | None
    error: str | None
    trials: int
    best_sharpe: float | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A leaderboard row; `run` is the run's id in the simulation service."""

    run: str
    sweep: str
    index: int
    model: str
    symbol: str
    threshold: float
    side: str
    hold_bars: int
    delay_bars: int
    fill: str
    flat_at_close: bool
    total_return: float
    buy_hold_return: float
    sharpe: float | None
    max_drawdown: float
    sqn: float | None
    sqn100: float | None
    profit_factor: float | None
    trades: int
    win_rate: float | None
    hit_rate: float | None
    exposure: float
    costs_paid: float
    final_equity: float
    timing_alpha_t: float | None

    @property
    def flag(self) -> str:
        """`lucky?` where too few trades were made to mean anything."""
        return "lucky?" if self.trades < FEW_TRADES else ""


@dataclass(frozen=True, kw_only=True)
class Spread:
    trials: int
    best_sharpe: float | None
    sharpe_sd: float | None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Best and median Sharpe of all trials with this threshold and holding time."""

    threshold: float
    hold_bars: int
    best: float | None
    median: float | None
    trials: int


def standing_of(record: BatchRecord, steps: Sequence[Step]) -> Standing:
    """Return what the batch's jobs add up to."""
    done = sum(step.jobs for step in steps if step.kind == JobKind.SWEEP and step.state == "COMPLETED")
    own = [step for step in steps if step.kind.startswith(f"{JobKind.BATCH.schema}.")]
    for ending in (BatchState.FAILED, BatchState.CANCELLED):
        stopped = [step for step in own if step.state == ending]
        if stopped:
            return Standing(state=ending, done=done, total=record.pairs, note=stopped[0].error or "")
    ranked = any(step.kind == JobKind.BATCH_RANK and step.state == "COMPLETED" for step in own)
    if ranked:
        state = BatchState.PARTIAL if record.failed else BatchState.COMPLETED
        note = f"{record.failed} of {record.pairs} failed" if record.failed else ""
        return Standing(state=state, done=record.pairs - record.failed, total=record.pairs, note=note)
    started = any(step.state != "PENDING" for step in steps)
    state = BatchState.RUNNING if started else BatchState.PENDING
    return Standing(state=state, done=done, total=record.pairs, note=_doing(steps) if started else "")


def _doing(steps: Sequence[Step]) -> str:
    for kind, word in ((JobKind.SWEEP, "simulated"), (JobKind.PREDICT, "predicted")):
        total = sum(step.jobs for step in steps if step.kind == kind)
        if total:
            ended = sum(step.jobs for step in steps if step.kind == kind and step.state not in ("PENDING", "RUNNING"))
            return f"{ended} of {total} {word}"
    return "looking for missing predictions"
