"""The way to the queue for workers without database access: HTTP to a server. See `shared.jobs.wire`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from shared.errors import InvalidInput, NotFound, Unavailable
from shared.jobs.model import (
    Beat,
    Claim,
    Completion,
    EffectFailed,
    JobState,
    LeaseLost,
    Outcome,
    Report,
    storable,
    to_json,
)
from shared.jobs.wire import (
    ClaimAnswer,
    ClaimRequest,
    CompleteAnswer,
    CompleteRequest,
    FailAnswer,
    FailRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    LeaveRequest,
)

Answer = TypeVar("Answer", bound=BaseModel)

#: An effect may take a while; a heartbeat that takes longer than this is as good as lost anyway.
TIMEOUT_S = 10.0


_JSON = {"Content-Type": "application/json"}


class HttpTransport:
    """JobTransport over the REST routes of the orchestrator or the optimization service."""

    def __init__(self, base_url: str, worker_token: str) -> None:
        if not worker_token or not worker_token.isascii():
            raise InvalidInput(
                "a worker without database access needs BARSMITH_WORKER_TOKEN, in plain letters and digits"
            )
        self._client = httpx.Client(
            base_url=base_url, timeout=TIMEOUT_S, headers={"Authorization": f"Bearer {worker_token}"}
        )

    def claim(self, kinds: Sequence[str], limit: int, token: UUID, worker: str) -> Claim:
        request = ClaimRequest(kinds=[str(kind) for kind in kinds], limit=limit, token=token, worker=worker)
        answer = self._post("/jobs/claim", request, ClaimAnswer)
        return Claim(answer.jobs, timedelta(seconds=answer.lease_s))

    def heartbeat(self, token: UUID, reports: Mapping[int, Report]) -> dict[int, Beat]:
        beats: dict[int, Beat] = {}
        for job_id, report in reports.items():
            request = HeartbeatRequest(token=token, progress=report.fraction, note=report.note)
            beats[job_id] = self._post(f"/jobs/{job_id}/heartbeat", request, HeartbeatAnswer).answer
        return beats

    def complete(self, token: UUID, outcomes: Mapping[int, Outcome]) -> dict[int, Completion]:
        return {job_id: self._complete(token, job_id, outcome) for job_id, outcome in outcomes.items()}

    def fail(self, job_id: int, token: UUID, error: str, *, retry: bool, counted: bool) -> JobState:
        request = FailRequest(token=token, error=storable(error), retry=retry, counted=counted)
        return self._post(f"/jobs/{job_id}/fail", request, FailAnswer).state

    def wait(self, seconds: float) -> bool:
        # nothing wakes a worker over HTTP, so it asks each time
        time.sleep(seconds)
        return True

    def close(self, worker: str) -> None:
        with suppress(httpx.HTTPError):  # unheard, it shows as lost for a while
            self._client.post("/jobs/leave", content=LeaveRequest(worker=worker).model_dump_json(), headers=_JSON)
        self._client.close()

    def _complete(self, token: UUID, job_id: int, outcome: Outcome) -> Completion:
        result = dict(outcome.result)
        # checked here because JSON written by pydantic would turn NaN into null in silence
        to_json("a job's result", result)
        request = CompleteRequest(token=token, result=result, submit=list(outcome.submit))
        try:
            return self._post(f"/jobs/{job_id}/complete", request, CompleteAnswer).answer
        except LeaseLost:
            return Completion.LOST

    def _post(self, path: str, request: BaseModel, into: type[Answer]) -> Answer:
        try:
            response = self._client.post(path, content=request.model_dump_json(), headers=_JSON)
        except httpx.TransportError as error:
            raise Unavailable(f"the server at {self._client.base_url} does not answer: {error}") from error
        if response.status_code != httpx.codes.OK:
            raise _error_of(response)
        try:
            return into.model_validate_json(response.content)
        except ValidationError as error:
            raise Unavailable(f"the server at {self._client.base_url} answered nonsense: {error}") from error


def _error_of(response: httpx.Response) -> Exception:
    try:
        body = response.json()
        said = f"{body['error']}: {body['detail']}"
    except (ValueError, KeyError, TypeError):
        said = response.text[:200]
    status = response.status_code
    if status == httpx.codes.CONFLICT:
        return LeaseLost(said)
    if status == httpx.codes.BAD_REQUEST:
        return EffectFailed(said)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return InvalidInput(f"the server refuses this worker's token (BARSMITH_WORKER_TOKEN): {said}")
    if status == httpx.codes.NOT_FOUND:
        return NotFound(f"{response.url}: {said}")
    if status == httpx.codes.UNPROCESSABLE_ENTITY:
        return InvalidInput(said)
    return Unavailable(f"the server answered {status}: {said}")
