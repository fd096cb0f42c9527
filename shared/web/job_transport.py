"""The queue over HTTP, for workers without database access. The orchestrator includes this router.

    create_service(..., routers=[job_transport_router(settings), pages.router, routes.router])

Every request needs `Authorization: Bearer <BARSMITH_WORKER_TOKEN>`; with no token set all are refused. The models
are those of `shared.jobs.wire`; each route calls the Queue method of its name.
"""

from __future__ import annotations

import secrets
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
)
from shared.settings import ServiceSettings
from shared.web.parts import provided

QueueDep = Annotated[Queue, Depends(provided(Queue))]
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def job_transport_router(settings: ServiceSettings) -> APIRouter:
    """Routes that claim, keep, complete and fail jobs."""
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

    router = APIRouter(tags=["job transport"], dependencies=[Depends(authorised)])

    @router.post("/jobs/claim")
    def claim(body: ClaimRequest, queue: QueueDep) -> ClaimAnswer:
        taken = queue.claim(body.kinds, body.limit, body.token, body.worker)
        return ClaimAnswer(jobs=taken.jobs, lease_s=taken.lease.total_seconds())

    @router.post("/jobs/{job_id:int}/heartbeat")
    def heartbeat(job_id: int, body: HeartbeatRequest, queue: QueueDep) -> HeartbeatAnswer:
        answers = queue.heartbeat(body.token, {job_id: Report(body.progress, body.note)})
        return HeartbeatAnswer(answer=answers.get(job_id, Beat.LOST))

    @router.post("/jobs/{job_id:int}/complete")
    def complete(job_id: int, body: CompleteRequest, queue: QueueDep) -> CompleteAnswer:
        outcome = Outcome(result=body.result, submit=body.submit)
        return CompleteAnswer(answer=queue.complete(job_id, body.token, outcome))

    @router.post("/jobs/{job_id:int}/fail")
    def fail(job_id: int, body: FailRequest, queue: QueueDep) -> FailAnswer:
        return FailAnswer(state=queue.fail(job_id, body.token, body.error, retry=body.retry, counted=body.counted))

    return router
