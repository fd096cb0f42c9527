"""What the queue is asked and what it answers. The states and their transitions are drawn in `docs/jobs.md`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.errors import Conflict, InvalidInput

LONGEST_NOTE = 200

_KIND = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


class JobState(StrEnum):
    """Where a job is in its life. The last three are ends: a job never leaves them."""

    #: waits for a worker, perhaps not before `run_after`
    PENDING = "PENDING"
    #: a worker holds its lease
    RUNNING = "RUNNING"
    #: its result and its effect are stored
    COMPLETED = "COMPLETED"
    #: refused its input, or ran out of attempts; `error` says why
    FAILED = "FAILED"
    #: somebody called it off
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        return self not in (JobState.PENDING, JobState.RUNNING)


class LeaseLost(Conflict):
    """The job is no longer this worker's: what it computed is discarded, and another attempt counts."""


class EffectFailed(InvalidInput):
    """The kind's effect function refused the result, so nothing of the completion was stored."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A job to enqueue. Raises InvalidInput for a priority, kind or payload that the queue cannot hold."""

    kind: str
    payload: Mapping[str, Any]
    #: higher first; equal ones in the order they came
    priority: float = 0.0
    #: at most one live job has this key; submitting again gives the live one
    unique_key: str | None = None
    #: not before this moment (of the database's clock)
    run_after: datetime | None = None
    max_attempts: int = 3
    #: a longer attempt is killed and counts as failed
    max_runtime: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if not math.isfinite(self.priority):
            raise InvalidInput(f"priority {self.priority} cannot be ordered: use a finite number")
        if not _KIND.fullmatch(self.kind):
            raise InvalidInput(f"job kind {str(self.kind)!r} is not of the form schema.verb, e.g. training.train")
        if self.max_attempts < 1:
            raise InvalidInput(f"max_attempts {self.max_attempts} would never run: use 1 or more")
        if self.max_runtime <= timedelta(0):
            raise InvalidInput(f"max_runtime {self.max_runtime} is no time at all: use a positive duration")
        if self.run_after is not None and self.run_after.tzinfo is None:
            raise InvalidInput(f"run_after {self.run_after.isoformat()} has no time zone: write it in UTC")

    def row(self) -> dict[str, Any]:
        """Return the JSON row that the SQL function `jobs.submit` takes."""
        return {
            "kind": str(self.kind),
            "payload": dict(self.payload),
            "priority": float(self.priority),
            "unique_key": self.unique_key,
            "run_after": self.run_after.isoformat() if self.run_after else None,
            "max_attempts": self.max_attempts,
            "max_runtime_s": self.max_runtime.total_seconds(),
        }


@dataclass(frozen=True, kw_only=True)
class Group:
    """Jobs submitted together, and the job to enqueue when the last of them has ended, however it ended.

    The continuation's payload gets `group_id` added, with which its handler finds the members.
    """

    jobs: Sequence[Submission]
    continuation: Submission


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a handler returns. `submit` is enqueued in the transaction that completes the job."""

    result: Mapping[str, Any]
    submit: Sequence[Submission | Group] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """A row of the queue. `attempt` counts the attempts begun; times are the database's."""

    id: int
    kind: str
    payload: dict[str, Any]
    priority: float
    run_after: datetime
    state: JobState
    attempt: int
    max_attempts: int
    max_runtime: timedelta
    worker_id: str | None
    progress: float
    note: str
    result: dict[str, Any] | None
    error: str | None
    group_id: int | None
    unique_key: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", JobState(self.state))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at a job that has ended: COMPLETED, FAILED, CANCELLED, GIVEN_BACK or LEASE_EXPIRED."""

    job_id: int
    attempt: int
    worker_id: str | None
    started_at: datetime | None
    ended_at: datetime
    outcome: str
    error: str | None


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """A worker and what it does now. `lost` after 15 s of silence, by the database's clock."""

    id: str
    kinds: list[str]
    started_at: datetime
    last_seen: datetime
    lost: bool
    job_id: int | None
    kind: str | None
    progress: float | None
    note: str | None


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many jobs of a kind are in a state."""

    kind: str
    state: JobState
    jobs: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", JobState(self.state))


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What a kind of job waits for and gets done. `oldest_waiting`: since when its oldest ready job could begin."""

    kind: str
    waiting: int
    running: int
    done: int
    failed: int
    oldest_waiting: datetime | None
    #: jobs done in each five minutes of the last hour, the oldest first
    last_hour: list[int]

    @property
    def per_minute(self) -> float:
        """Jobs done a minute, over the last five."""
        return self.last_hour[-1] / 5


class Beat(StrEnum):
    """What a worker is told about a job it holds."""

    OK = "ok"
    #: stop computing: somebody called the job off
    CANCELLED = "cancelled"
    #: stop computing: the lease ran out and the job is, or will be, someone else's
    LOST = "lost"


class Completion(StrEnum):
    """What became of a completion."""

    DONE = "done"
    #: the same completion arrived before, and its answer was lost on the way
    ALREADY_DONE = "already_done"
    LOST = "lost"


@dataclass(frozen=True)
class Report:
    """How far a job is: `fraction` in 0..1, and one line for people.

    Made storable whatever a handler says, because a refused report would cost the job its lease.
    """

    fraction: float = 0.0
    note: str = ""

    def __post_init__(self) -> None:
        fraction = float(self.fraction)
        object.__setattr__(self, "fraction", min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0)
        object.__setattr__(self, "note", storable(" ".join(self.note.split()))[:LONGEST_NOTE])


@dataclass(frozen=True)
class Claim:
    """Jobs taken, highest priority first, and how long each may stay silent."""

    jobs: list[Job]
    lease: timedelta


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The queue's durations; shorter ones make tests quick."""

    #: a silent worker's job is taken back after this
    lease: timedelta = timedelta(seconds=30)
    #: wait before the second attempt; doubles with each, up to five minutes
    backoff: timedelta = timedelta(seconds=2)
    #: how often any process looks for expired leases
    rescue_every: timedelta = timedelta(seconds=5)
    #: how often an idle worker asks although nothing woke it
    poll_every: timedelta = timedelta(seconds=5)
    #: how long a stopping worker lets its job finish before it gives it back
    drain: timedelta = field(default=timedelta(seconds=2))


def storable(text: str) -> str:
    """Return `text` without what Postgres cannot hold: NUL characters and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def to_json(what: str, value: object) -> str:
    """Return `value` as JSON text.

    Raises InvalidInput for what JSON or Postgres cannot hold: NaN, sets, NUL characters.
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{what} cannot be stored as JSON: {error}") from error
    if "\\u0000" in text:
        raise InvalidInput(f"{what} cannot be stored as JSON: it contains a NUL character")
    return text
