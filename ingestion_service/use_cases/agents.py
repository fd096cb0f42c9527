"""Starting, pausing and stopping agents, and what all their runs have in common.

A run is a job with the unique key `agent <name>`, so an agent has at most one. A run that ends well submits the next
one with `run_after`; one that fails is tried again by the queue, with growing pauses and for ever. What people want of
an agent is in `ingestion.agent`: a run looks there at every step, and the next run is submitted only where it is
wanted, so neither a restart nor a race leaves an agent running twice or dead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from ingestion_service.domain.agents import (
    AGENTS,
    OPTIONS,
    AgentKind,
    AgentRecord,
    AgentRun,
    Wanted,
    agent_kind,
    state_word,
)
from ingestion_service.store.agents import AgentStore
from shared.clock import Clock
from shared.contracts.messages import Message
from shared.errors import Conflict, InvalidInput
from shared.jobs.context import JobContext
from shared.jobs.handling import HOPELESS
from shared.jobs.model import Job, JobState, LeaseLost, Outcome, Submission
from shared.jobs.queue import Queue

M = TypeVar("M", bound=Message)

#: A run is tried again for ever: an agent must not die of a long outage.
_ATTEMPTS = 1_000_000
#: How often a run says that it lives and looks what is wanted of it.
BEAT_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class AgentState:
    """An agent as the API and the page show it. `state` is explained at `domain.agents.state_word`."""

    name: str
    about: str
    state: str
    wanted: str
    options: dict[str, Any]
    note: str
    alert: str | None
    alert_since: datetime | None
    heartbeat_at: datetime | None
    heartbeat_age_s: float | None
    job_id: int | None
    progress: float | None
    next_run: datetime | None
    error: str | None
    runs: int
    last_ended_at: datetime | None
    last_result: dict[str, Any] | None


@dataclass
class Run:
    """One run of an agent, as the work in it sees it."""

    name: str
    ctx: JobContext
    store: AgentStore
    clock: Clock
    _beaten: float = field(default=float("-inf"))
    _wanted: Wanted = Wanted.RUNNING

    def goes_on(self, fraction: float, note: str) -> bool:
        """Say how far the run is; False: it is to end here, for the agent was paused or stopped."""
        self.ctx.advanced(fraction, note)
        now = self.clock.monotonic()
        if now - self._beaten >= BEAT_EVERY_S:
            self._beaten = now
            self._wanted = self.store.beat(self.name, note)
        return self._wanted is Wanted.RUNNING

    def quietly(self) -> JobContext:
        """Return the job's context for a part of the work, whose own progress is not the run's."""
        return replace(self.ctx, report=lambda *_: None)

    def wait(self, seconds: float) -> None:
        """Do nothing for a moment."""
        threading.Event().wait(seconds)

    def met(self, error: Exception) -> None:
        """Count an error the run goes on after."""
        self.store.note_trouble(self.name, type(error).__name__, str(error))


@dataclass(frozen=True)
class Ended:
    """What a run did, and when the next is to begin; None: after the agent's usual pause."""

    result: Mapping[str, Any]
    next_at: datetime | None = None


Work = Callable[[Run], Ended]


class Agents:
    def __init__(self, store: AgentStore, queue: Queue, clock: Clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock

    def all(self) -> list[AgentState]:
        """Return every agent."""
        taken = {kind for worker in self._queue.workers() if not worker.lost for kind in worker.kinds}
        return [self._shown(record, taken) for record in self._store.records().values()]

    def one(self, name: str) -> AgentState:
        """Return one agent. Raises NotFound."""
        agent_kind(name)
        return next(agent for agent in self.all() if agent.name == name)

    def start(self, name: str, options: dict[str, Any] | None = None) -> AgentState:
        """Let an agent run, now; one that waits for its next run begins it at once.

        Raises InvalidInput for options it does not have.
        """
        kind = agent_kind(name)
        checked = None if options is None else _checked(name, options)
        waiting = self._queue.live(_key(name))
        if waiting is not None and waiting.state is JobState.PENDING:
            self._call_off(waiting)
        with self._store.database.transaction() as conn:
            # the job before the agent, as a run that ends takes them: neither waits for the other in a circle
            self._queue.submit([_submission(kind, None)], conn=conn)
            self._store.want(conn, name, Wanted.RUNNING, checked)
        return self.one(name)

    def pause(self, name: str) -> AgentState:
        """Let an agent end its run at the next step and begin no other until it is started again."""
        return self._halt(name, Wanted.PAUSED)

    def stop(self, name: str) -> AgentState:
        """Call an agent's run off at once; nothing that it stored is lost."""
        return self._halt(name, Wanted.STOPPED)

    def set_options(self, name: str, options: dict[str, Any]) -> AgentState:
        """Change an agent's options; its next run goes by them. Raises InvalidInput for those it does not have."""
        agent_kind(name)
        self._store.set_options(name, _checked(name, options))
        return self.one(name)

    # --- in a worker

    def run(self, work: Work, ctx: JobContext) -> Outcome:
        """Do one run, and submit the next where it is still wanted.

        `skipped` and `ended_early` in a result say that none was submitted: where the agent was started meanwhile, the
        effect of the run's completion (`ingestion.agent_ended`) does.
        """
        kind = agent_kind(AgentRun.model_validate(ctx.payload).agent)
        run = Run(kind.name, ctx, self._store, self._clock)
        if not run.goes_on(0.0, "begins"):
            return Outcome(result={"skipped": f"the agent is {self._store.records()[kind.name].wanted}"})
        try:
            ended = work(run)
            self._store.alert(kind.name, None)
        except LeaseLost:
            # called off, or taken over by another attempt: nothing is wrong with the agent
            raise
        except HOPELESS as error:
            # trying the same again at once would not help, the next run may
            run.met(error)
            self._store.alert(kind.name, str(error))
            ended = Ended({"error": str(error)})
        except Exception as error:
            run.met(error)
            raise
        wanted = self._store.beat(kind.name, "")
        if wanted is not Wanted.RUNNING:
            return Outcome(result={**ended.result, "ended_early": str(wanted)})
        return Outcome(result=ended.result, submit=[_submission(kind, self._next(run, ended))])

    def _next(self, run: Run, ended: Ended) -> datetime:
        if ended.next_at is not None:
            return ended.next_at
        # an agent whose options name no pause comes here only after it failed
        minutes = getattr(options_of(run, OPTIONS[run.name]), "every_minutes", 1.0)
        return self._clock.now() + timedelta(minutes=minutes)

    def _halt(self, name: str, wanted: Wanted) -> AgentState:
        agent_kind(name)
        with self._store.database.transaction() as conn:
            self._store.want(conn, name, wanted)
        live = self._queue.live(_key(name))
        if live is not None and (wanted is Wanted.STOPPED or live.state is JobState.PENDING):
            self._call_off(live)
        return self.one(name)

    def _call_off(self, job: Job) -> None:
        try:
            self._queue.cancel(job.id)
        except Conflict:
            return  # it ended by itself meanwhile; the run it may have submitted sees what is wanted

    def _shown(self, record: AgentRecord, taken: set[str]) -> AgentState:
        kind = AGENTS[record.name]
        job = self._queue.live(_key(record.name))
        now = self._clock.now()
        due = job is not None and job.run_after <= now
        running = job is not None and job.state is JobState.RUNNING
        # a run that has just begun is not silent because the one before it ended long ago
        begun = job.started_at if job and running else None
        age = record.heartbeat_age_s
        if age is not None and begun is not None:
            age = min(age, (now - begun).total_seconds())
        word = state_word(
            replace(record, heartbeat_age_s=age),
            str(job.state) if job else None,
            due=due,
            taken=str(kind.kind) in taken,
            tried=job is not None and job.state is JobState.PENDING and job.error is not None,
        )
        return AgentState(
            name=record.name,
            about=kind.about,
            state=word,
            wanted=record.wanted,
            options=OPTIONS[record.name].model_validate(record.options).model_dump(),
            note=(record.note or job.note) if job and running else "",
            alert=record.alert,
            alert_since=record.alert_since,
            heartbeat_at=record.heartbeat_at,
            heartbeat_age_s=record.heartbeat_age_s,
            job_id=job.id if job else None,
            progress=job.progress if job and running else None,
            next_run=job.run_after if job and not running else None,
            error=job.error if job and not running else None,
            runs=record.runs,
            last_ended_at=record.last_ended_at,
            last_result=record.last_result,
        )


def options_of(run: Run, of: type[M]) -> M:
    """Return the options of a run's agent, checked."""
    return of.model_validate(run.store.options(run.name))


def _key(name: str) -> str:
    return f"agent {name}"


def _submission(kind: AgentKind, run_after: datetime | None) -> Submission:
    return Submission(
        kind=kind.kind,
        payload=AgentRun(agent=kind.name).model_dump(),
        unique_key=_key(kind.name),
        run_after=run_after,
        max_attempts=_ATTEMPTS,
        max_runtime=kind.max_runtime,
    )


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return OPTIONS[name].model_validate(options).model_dump()
    except ValidationError as error:
        known = ", ".join(OPTIONS[name].model_fields)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"option {where} of {name}: {first['msg']}; it has {known}") from error
