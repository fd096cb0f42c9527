"""Running jobs inside the test's own process: no worker, no child, no heartbeat; the queue is the real one."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from shared.jobs.context import Handler, JobContext
from shared.jobs.handling import Failure, handle
from shared.jobs.model import Job
from shared.jobs.queue import Queue


def run_pending(queue: Queue, handlers: Mapping[str, Handler], worker: str = "test") -> list[Job]:
    """Run every ready job of the handlers' kinds, also those that these submit, and return them as they ended.

    A job that failed and will be retried is PENDING with `run_after` ahead, so it is not run again here.
    """
    ended: list[int] = []
    while True:
        token = uuid4()
        claim = queue.claim([str(kind) for kind in handlers], 1, token, worker)
        if not claim.jobs:
            return [queue.job(job_id) for job_id in ended]
        [job] = claim.jobs
        context = JobContext(
            job_id=job.id,
            kind=job.kind,
            payload=job.payload,
            priority=job.priority,
            attempt=job.attempt,
            token=token,
        )
        ending = handle(handlers[job.kind], context)
        if isinstance(ending, Failure):
            queue.fail(job.id, token, ending.error, retry=ending.retry)
        else:
            queue.complete(job.id, token, ending)
        ended.append(job.id)
