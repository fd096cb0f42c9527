"""What the run's own jobs have in common: each belongs to a run, and does nothing for one that has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator_service.domain.records import Run, RunState
from orchestrator_service.store import Registry
from shared.contracts.kinds import JobKind
from shared.errors import BarsmithError, Unavailable
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome, Submission

#: a step only reads and decides, so waiting out a sibling's restart costs nothing: about two minutes of tries
_ATTEMPTS = 7

Step = Callable[[Run, JobContext], Outcome]


def step(kind: JobKind, run: str, **payload: Any) -> Submission:  # noqa: ANN401 - JSON
    """Return one of a run's own jobs, as the continuation of a group; they go before the work they lead to.

    Always of a group, if need be an empty one: groups are how a run's newest job is found.
    """
    return Submission(kind=kind, payload={"run": run, **payload}, priority=1_000.0, max_attempts=_ATTEMPTS)


def take(registry: Registry, ctx: JobContext, work: Step) -> Outcome:
    """Do `work` for the job's run; a run that has ended is left alone, and one that cannot go on is ended.

    What a user can act on becomes the run's reason. Unavailable goes up, so that the queue tries again.
    """
    run = registry.run(str(ctx.payload["run"]))
    if run.state is not RunState.RUNNING:
        return Outcome(result={"run": run.id, "skipped": f"run is {run.state}"})
    try:
        return work(run, ctx)
    except Unavailable:
        raise
    except BarsmithError as error:
        return Outcome(result={"run": run.id, "failed": str(error)})


def generation_of(payload: Mapping[str, Any]) -> int:
    return int(payload["generation"])
