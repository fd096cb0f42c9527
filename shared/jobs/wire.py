"""The queue over HTTP: what workers without database access send to the orchestrator, and what it answers.

Every request carries `Authorization: Bearer <worker token>`; a wrong one is answered 401.

* POST /jobs/claim           ClaimRequest     -> 200 ClaimAnswer
* POST /jobs/{id}/heartbeat  HeartbeatRequest -> 200 HeartbeatAnswer ("cancelled" and "lost" are answers, not errors)
* POST /jobs/{id}/complete   CompleteRequest  -> 200 CompleteAnswer; 409 lease lost; 400 result or effect refused
* POST /jobs/{id}/fail       FailRequest      -> 200 FailAnswer; 409 lease lost

* POST /jobs/leave          LeaveRequest     -> 204; a worker that stops by itself does not show as lost

The same at one address each, with the job's id in the body, for workers that are not written in Python:
POST /api/worker/claim, /api/worker/heartbeat, /api/worker/complete, /api/worker/fail, /api/worker/leave.

The server calls the Queue method of the same name; 503 means "ask again with the same token".
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.jobs.model import Beat, Completion, Group, Job, JobState, Submission


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClaimRequest(_Wire):
    kinds: list[str] = Field(min_length=1)
    limit: int = Field(default=1, ge=1, le=100)
    token: UUID
    worker: str = Field(min_length=1, max_length=200)


class ClaimAnswer(_Wire):
    jobs: list[Job]
    lease_s: float


class HeartbeatRequest(_Wire):
    token: UUID
    progress: float = Field(default=0.0, ge=0.0, le=1.0)
    note: str = ""


class HeartbeatAnswer(_Wire):
    answer: Beat


class CompleteRequest(_Wire):
    token: UUID
    result: dict[str, Any]
    submit: list[Submission | Group] = []


class CompleteAnswer(_Wire):
    answer: Completion


class FailRequest(_Wire):
    token: UUID
    error: str
    retry: bool = True
    counted: bool = True


class FailAnswer(_Wire):
    state: JobState


class LeaveRequest(_Wire):
    worker: str = Field(min_length=1, max_length=200)


class JobHeartbeat(HeartbeatRequest):
    job_id: int


class JobComplete(CompleteRequest):
    job_id: int


class JobFail(FailRequest):
    job_id: int
