"""How a worker reaches the queue. Two ways, one contract: `tests/contracts/test_job_transports.py` runs on both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from shared.jobs.model import Beat, Claim, Completion, JobState, Outcome, Report


class JobTransport(Protocol):
    """The queue as a worker sees it. Every method raises Unavailable when the queue does not answer.

    `claim`, `heartbeat`, `complete` and `fail` may be called from two threads at once, and repeated with the same
    token when their answer was lost: the second time changes nothing.
    """

    def claim(self, kinds: Sequence[str], limit: int, token: UUID, worker: str) -> Claim:
        """Take up to `limit` jobs; the same ones when asked again with the same token."""
        ...

    def heartbeat(self, token: UUID, reports: Mapping[int, Report]) -> dict[int, Beat]:
        """Extend the leases of the named jobs, store how far they are, and say which to stop."""
        ...

    def complete(self, token: UUID, outcomes: Mapping[int, Outcome]) -> dict[int, Completion]:
        """Store results and apply effects. Raises InvalidInput when a result or its effect is refused."""
        ...

    def fail(self, job_id: int, token: UUID, error: str, *, retry: bool, counted: bool) -> JobState:
        """End an attempt without a result. Raises LeaseLost when the job is no longer this worker's."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait for new jobs at most so long; whether there may be some. May be true too often, never too seldom."""
        ...

    def close(self, worker: str) -> None:
        """Say that the worker stops by itself, and let go of connections. Never raises."""
        ...
