"""What is stored of a batch and of its trials; and what state its jobs add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from optimization_service.domain.columns import COLUMNS, OWN_COLUMNS
from optimization_service.domain.luck import flag_of
from shared.contracts.kinds import JobKind


class BatchState(StrEnum):
    """Where a batch is."""

    #: its first job waits for a worker
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    #: every trial is on the leaderboard
    COMPLETED = "COMPLETED"
    #: on the leaderboard, but some trials have an error instead of figures
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, kw_only=True)
class BatchRecord:
    """A batch as stored. `ranked`: trials that have ended, `failed` of them without figures."""

    fingerprint: str
    definition: dict[str, Any]
    pairs: int
    trials: int
    job_id: int
    created_at: datetime
    ranked_at: datetime | None
    best_sharpe: float | None
    ranked: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """So many of a batch's jobs of a kind that are in a state.

    points : for simulations, how many trials their round is made of; 0 for other kinds
    group : the group they are in, None for the batch's own jobs
    """

    kind: str
    state: str
    error: str | None
    jobs: int
    group: int | None
    points: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far a batch is: trials simulated out of all, and one line for people."""

    state: BatchState
    done: int
    total: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Member:
    """One pair of a batch: what was tried of it, and what went wrong."""

    model: str
    symbol: str
    window_start: datetime
    window_end: datetime
    error: str | None
    trials: int
    failed: int
    best_sharpe: float | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A leaderboard row; `run` is the run's id in the simulation service. `number` and on: in the batch asked for."""

    run: str
    sweep: str
    index: int
    model: str
    symbol: str
    setting: dict[str, Any]
    metrics: dict[str, Any]
    number: int | None
    plateau: float | None
    neighbours: int | None
    #: window and terms: None where the trial is older than their being kept
    start: datetime | None
    end: datetime | None
    #: what was paid: terms of Costs, without those of nothing
    costs: dict[str, float] | None
    starting_cash: float | None
    #: key of the trials that can be compared with it
    terms: str

    @property
    def flag(self) -> str:
        """What its number of trades says, and what makes its figures better than they could have been."""
        trades = self.metrics["trades"]
        said = [flag_of(trades, self.metrics["hit_rate"])]
        if trades and self.metrics["costs_paid"] == 0:
            said.append("no costs")
        if self.setting["delay_bars"] == 0:
            said.append("optimistic")
        return ", ".join(filter(None, said))

    def flat(self) -> dict[str, Any]:
        """Return the row with every parameter and figure in its own column; None what an older row does not have."""
        own = {name: getattr(self, name) for name in OWN_COLUMNS}
        documents = {**self.setting, **self.metrics, **own}
        return {"run": self.run} | {name: documents.get(name) for name in COLUMNS}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Trials that can be compared: of the same days, costs and starting cash; and how many they are.

    All but `terms`, their key, and `trials` are None for trials that are older than their being kept.
    """

    terms: str
    first_day: date | None
    last_day: date | None
    costs: dict[str, float] | None
    starting_cash: float | None
    trials: int


@dataclass(frozen=True, kw_only=True)
class Spread:
    trials: int
    best_sharpe: float | None
    sharpe_sd: float | None


@dataclass(frozen=True, kw_only=True)
class Score:
    """One figure of a batch's trial; None where it is undefined or the simulation failed."""

    number: int
    point: int
    value: float | None
    trades: int


def standing_of(record: BatchRecord, steps: Sequence[Step]) -> Standing:
    """Return what the batch's jobs add up to."""
    own = [step for step in steps if step.group is None]
    for ending in (BatchState.FAILED, BatchState.CANCELLED):
        stopped = [step for step in own if step.state == ending]
        if stopped:
            return Standing(state=ending, done=record.ranked, total=record.trials, note=stopped[0].error or "")
    if record.ranked_at is not None:
        state = BatchState.PARTIAL if record.failed else BatchState.COMPLETED
        note = f"{record.failed:,} of {record.ranked:,} failed" if record.failed else ""
        return Standing(state=state, done=record.ranked - record.failed, total=record.ranked, note=note)
    if not steps:
        # it has a job from its first moment on: retention removed it before the batch ended
        note = "its jobs were removed before it ended: start it again, and it goes on where its rows end"
        return Standing(state=BatchState.CANCELLED, done=record.ranked, total=record.trials, note=note)
    started = any(step.state != "PENDING" for step in steps)
    state = BatchState.RUNNING if started else BatchState.PENDING
    done = min(record.trials, max(record.ranked, _simulated(steps)))
    return Standing(state=state, done=done, total=record.trials, note=_doing(steps) if started else "")


def _simulated(steps: Sequence[Step]) -> int:
    """Return about how many trials have ended: of each round, the share of its jobs that have."""
    done = 0
    for group in {step.group for step in steps if step.kind == JobKind.SWEEP}:
        jobs = [step for step in steps if step.kind == JobKind.SWEEP and step.group == group]
        done += jobs[0].points * _ended(jobs) // sum(step.jobs for step in jobs)
    return done


def _doing(steps: Sequence[Step]) -> str:
    groups = [step.group for step in steps if step.group is not None]
    latest = [step for step in steps if groups and step.group == max(groups)]
    for kind, word in ((JobKind.SWEEP, "simulated"), (JobKind.PREDICT, "predicted")):
        found = [step for step in latest if step.kind == kind]
        if found:
            rounds = len({step.group for step in steps if step.kind == JobKind.SWEEP})
            which = f"round {rounds}: " if rounds > 1 else ""
            return f"{which}{_ended(found)} of {sum(step.jobs for step in found)} jobs {word}"
    return "choosing what to simulate" if groups else "looking for missing predictions"


def _ended(steps: Sequence[Step]) -> int:
    return sum(step.jobs for step in steps if step.state not in ("PENDING", "RUNNING"))
