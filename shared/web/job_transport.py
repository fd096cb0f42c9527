"""The queue over HTTP, for workers that do not reach the queue's database. Orchestrator and optimization include it.

    create_service(..., routers=[job_transport_router(settings), pages.router, routes.router])

Every request needs `Authorization: Bearer <BARSMITH_WORKER_TOKEN>`; with no token set all are refused. The models
are those of `shared.jobs.wire`; each route calls the Queue method of its name.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException

from shared.jobs.model import Beat, Outcome, Report
from shared.jobs.queue import Queue
from shared.jobs.wire import (
    ClaimAnswer,
    ClaimRequest,
    CompleteAnswer,
    CompleteRequest,
    FailAnswer,
    FailRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    JobComplete,
    JobFail,
    JobHeartbeat,
    LeaveRequest,
)
from shared.settings import ServiceSettings
from shared.web.parts import provided

QueueDep = Annotated[Queue, Depends(provided(Queue))]
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def job_transport_router(settings: ServiceSettings) -> APIRouter:
    """Routes that claim, keep, complete and fail jobs, and take leave."""
    router = APIRouter(tags=["job transport"], dependencies=[Depends(_authorised(settings))])
    for path, route in (
        ("/jobs/claim", _claim),
        ("/jobs/{job_id:int}/heartbeat", _heartbeat),
        ("/jobs/{job_id:int}/complete", _complete),
        ("/jobs/{job_id:int}/fail", _fail),
        ("/api/worker/claim", _claim),
        ("/api/worker/heartbeat", _heartbeat_named),
        ("/api/worker/complete", _complete_named),
        ("/api/worker/fail", _fail_named),
    ):
        router.post(path)(route)
    for path in ("/jobs/leave", "/api/worker/leave"):
        router.post(path, status_code=204)(_leave)
    return router


def _authorised(settings: ServiceSettings) -> Callable[[str], None]:
    expected = settings.worker_token.get_secret_value()

    def authorised(authorization: Annotated[str, Header()] = "") -> None:
        if not expected:
            raise HTTPException(
                401, "Remote workers are off: set BARSMITH_WORKER_TOKEN here and on the worker.", _CHALLENGE
            )
        scheme, _, token = authorization.partition(" ")
        # bytes: compare_digest refuses text beyond ASCII
        same = secrets.compare_digest(token.strip().encode(), expected.encode())
        if scheme.lower() != "bearer" or not same:
            raise HTTPException(401, "The worker token is missing or wrong.", _CHALLENGE)

    return authorised


def _claim(body: ClaimRequest, queue: QueueDep) -> ClaimAnswer:
    taken = queue.claim(body.kinds, body.limit, body.token, body.worker)
    return ClaimAnswer(jobs=taken.jobs, lease_s=taken.lease.total_seconds())


def _heartbeat(job_id: int, body: HeartbeatRequest, queue: QueueDep) -> HeartbeatAnswer:
    answers = queue.heartbeat(body.token, {job_id: Report(body.progress, body.note)})
    return HeartbeatAnswer(answer=answers.get(job_id, Beat.LOST))


def _heartbeat_named(body: JobHeartbeat, queue: QueueDep) -> HeartbeatAnswer:
    return _heartbeat(body.job_id, body, queue)


def _complete(job_id: int, body: CompleteRequest, queue: QueueDep) -> CompleteAnswer:
    outcome = Outcome(result=body.result, submit=body.submit)
    return CompleteAnswer(answer=queue.complete(job_id, body.token, outcome))


def _complete_named(body: JobComplete, queue: QueueDep) -> CompleteAnswer:
    return _complete(body.job_id, body, queue)


def _fail(job_id: int, body: FailRequest, queue: QueueDep) -> FailAnswer:
    return FailAnswer(state=queue.fail(job_id, body.token, body.error, retry=body.retry, counted=body.counted))


def _fail_named(body: JobFail, queue: QueueDep) -> FailAnswer:
    return _fail(body.job_id, body, queue)


def _leave(body: LeaveRequest, queue: QueueDep) -> None:
    queue.leave(body.worker)
