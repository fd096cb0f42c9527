"""The agents: what each does by itself, how often, and what its state is called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from shared.contracts.kinds import JobKind
from shared.contracts.messages import Message
from shared.errors import NotFound

#: Longer waits leave what dates can say.
LONGEST_DAYS = 36_500
LONGEST_MINUTES = LONGEST_DAYS * 1440


class Wanted(StrEnum):
    """What people want of an agent. It stays so over restarts."""

    RUNNING = "running"
    #: ends its run at the next step and keeps its place: what is done stays done
    PAUSED = "paused"
    #: its run is called off at once
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class AgentKind:
    """One agent. How long it pauses between runs stands in its options, or each of its runs says it."""

    name: str
    kind: JobKind
    about: str
    #: a longer run is taken for stuck
    max_runtime: timedelta


class AgentRun(Message):
    """Payload of every agent's job."""

    agent: str


# titles and descriptions of options are what the agent's page calls them


class LiveOptions(Message):
    """How the live updater listens. Minutes are the exchange's; seconds are ours."""

    minutes_before: float = Field(default=10, ge=0, le=330, title="Listen from, minutes before the open")
    minutes_after: float = Field(default=20, ge=0, le=330, title="Listen until, minutes after the close")
    alert_minutes: float = Field(
        default=3, ge=1, le=120, title="Alert after, minutes", description="in session, no bar for so long is an alert"
    )
    store_seconds: float = Field(
        default=20,
        ge=0.2,
        le=600,
        title="Store every, seconds",
        description="together; each time rewrites the month's file of each symbol",
    )


#: the pause between the end of a run and the next
_PAUSE = "Pause between runs, minutes"


class BackfillOptions(Message):
    """How far back it goes, the watchlist says."""

    every_minutes: float = Field(default=360, ge=1, le=LONGEST_MINUTES, title=_PAUSE)


class ScanOptions(Message):
    every_minutes: float = Field(default=1440, ge=1, le=LONGEST_MINUTES, title=_PAUSE)


class FillOptions(Message):
    """Gaps are always asked for again; `fill` also puts means of neighbours into what stays missing."""

    every_minutes: float = Field(default=1440, ge=1, le=LONGEST_MINUTES, title=_PAUSE)
    fill: bool = Field(
        default=False,
        title="Make bars up for what stays missing",
        description="means of the bars beside a gap, kept apart; no read shows them unasked",
    )
    max_iterations: int = Field(
        default=9,
        ge=1,
        le=9,
        title="Rounds of making up",
        description="n rounds close holes of up to 2ⁿ − 1 minutes",
    )


class RetentionRules(Message):
    """What may be removed. None: nothing of that kind, ever."""

    every_minutes: float = Field(default=1440, ge=1, le=LONGEST_MINUTES)
    #: files of the lake that newer ones replaced: with them goes what `as_of` can show
    superseded_days: float | None = Field(default=7, ge=0.05, le=LONGEST_DAYS)
    #: ended jobs, and the history of their attempts
    jobs_days: float | None = Field(default=None, ge=1, le=LONGEST_DAYS)
    #: dataset -> days of rows to keep, for the datasets of this service; fewer than one would empty it
    datasets: dict[str, Annotated[float, Field(ge=1, le=LONGEST_DAYS)]] = Field(default_factory=dict)


AGENTS: dict[str, AgentKind] = {
    agent.name: agent
    for agent in (
        AgentKind(
            name="backfill",
            kind=JobKind.BACKFILL_AGENT,
            about="fetches what the watchlist lacks, month by month",
            max_runtime=timedelta(days=2),
        ),
        AgentKind(
            name="live",
            kind=JobKind.LIVE_AGENT,
            about="stores minute bars as they close, in session hours",
            max_runtime=timedelta(hours=20),
        ),
        AgentKind(
            name="scan",
            kind=JobKind.SCAN_AGENT,
            about="looks for gaps in every symbol's sessions",
            max_runtime=timedelta(hours=6),
        ),
        AgentKind(
            name="fill",
            kind=JobKind.FILL_AGENT,
            about="asks again for what is missing, and may fill what stays missing",
            max_runtime=timedelta(hours=12),
        ),
        AgentKind(
            name="retention",
            kind=JobKind.RETENTION_AGENT,
            about="removes what its rules name, and nothing else",
            max_runtime=timedelta(hours=6),
        ),
    )
}
OPTIONS: dict[str, type[Message]] = {
    "backfill": BackfillOptions,
    "live": LiveOptions,
    "scan": ScanOptions,
    "fill": FillOptions,
    "retention": RetentionRules,
}


def agent_kind(name: str) -> AgentKind:
    """Return the agent of that name. Raises NotFound naming those there are."""
    if name not in AGENTS:
        raise NotFound(f"there is no agent {name!r}: there are {', '.join(AGENTS)}")
    return AGENTS[name]


@dataclass(frozen=True, kw_only=True)
class AgentRecord:
    """What is kept of an agent."""

    name: str
    wanted: str = Wanted.STOPPED
    options: dict[str, Any]
    heartbeat_at: datetime | None = None
    heartbeat_age_s: float | None = None
    note: str = ""
    alert: str | None = None
    alert_since: datetime | None = None
    runs: int = 0
    last_ended_at: datetime | None = None
    last_result: dict[str, Any] | None = None


#: a run that has not said so for so long does not live, whatever its job says
SILENT_S = 90.0


def state_word(record: AgentRecord, job_state: str | None, *, due: bool, taken: bool, tried: bool) -> str:
    """Return the one word for what an agent is in.

    running | alert | stale (runs, but says nothing) | waiting (for its next run) | retrying (the last try failed)
    | starting (due, a worker will take it) | workerless (due or to be tried again, and no worker takes its kind)
    | broken (its run was called off or failed for good: start it again) | paused | stopped
    """
    if job_state == "RUNNING":
        silent = record.heartbeat_age_s is not None and record.heartbeat_age_s > SILENT_S
        return "stale" if silent else "alert" if record.alert is not None else "running"
    if record.wanted != Wanted.RUNNING:
        return record.wanted
    if job_state is None:
        return "broken"
    if (due or tried) and not taken:
        return "workerless"
    if tried:
        return "retrying"
    return "starting" if due else "waiting"
