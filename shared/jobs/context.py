"""What a handler is handed: the job's input, a way to say how far it is, and the fence around its writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.jobs.model import LeaseLost, Outcome
from shared.storage.postgres import Connection
from shared.storage.queries import Queries


def _unwatched(fraction: float, note: str) -> None:
    del fraction, note


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """A job as its handler sees it. `attempt` counts from 1."""

    job_id: int
    kind: str
    payload: Mapping[str, Any]
    priority: float
    attempt: int
    token: UUID
    report: Callable[[float, str], None] = _unwatched

    def advanced(self, fraction: float, note: str = "") -> None:
        """Say that `fraction` (0..1) is done; `note` is one short line for people."""
        self.report(fraction, note)

    def still_mine(self, conn: Connection) -> None:
        """Raise LeaseLost unless this job's lease is live, and keep it so until the transaction of `conn` ends.

        Pass it as `precondition` to the lake, so that a worker that was taken for dead cannot commit files.
        """
        found = Queries.of("shared.jobs").value(conn, "fence", job_id=self.job_id, token=self.token)
        if found is None:
            raise LeaseLost(f"job {self.job_id} is no longer this worker's: nothing was written")


Handler = Callable[[JobContext], Outcome]
