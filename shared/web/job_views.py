"""Jobs and workers as JSON, on every service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from shared.jobs.model import Attempt, Job, JobState, WorkerInfo
from shared.jobs.queue import Queue
from shared.web.accepted import Accepted, accepted
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.parts import provided

router = strict_router(tags=["jobs"])
QueueDep = Annotated[Queue, Depends(provided(Queue))]


@dataclass(frozen=True, kw_only=True)
class JobDetail(Job):
    """A job with the attempts that ended."""

    attempts: list[Attempt]


@router.get("/jobs")
def list_jobs(queue: QueueDep, paging: PageQuery, kind: str | None = None, state: JobState | None = None) -> Page[Job]:
    """Jobs of all services, newest first."""
    return paging.of(*queue.jobs(kind=kind, state=state, page=paging.page, per_page=paging.per_page))


@router.get("/jobs/{job_id:int}")
def show_job(queue: QueueDep, job_id: int) -> JobDetail:
    """One job, its result or error, and its attempts."""
    return JobDetail(**vars(queue.job(job_id)), attempts=queue.attempts(job_id))


@router.post("/jobs/{job_id:int}/cancel")
def cancel_job(queue: QueueDep, job_id: int) -> Job:
    """Call a job off; 409 when it already ended otherwise."""
    return queue.cancel(job_id)


@router.post("/jobs/{job_id:int}/again", status_code=202)
def do_again(queue: QueueDep, job_id: int) -> Accepted:
    """Do a failed or cancelled job once more, as a new one; 409 when it is neither, or belongs to a group."""
    return accepted(queue.again(job_id))


@router.get("/workers")
def list_workers(queue: QueueDep) -> list[WorkerInfo]:
    """Workers seen in the last day; `lost` ones have been silent for 15 s."""
    return queue.workers()
