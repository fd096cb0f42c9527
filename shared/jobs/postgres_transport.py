"""A worker's direct way to the queue in Postgres."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from shared.errors import Unavailable
from shared.jobs.model import Beat, Claim, Completion, JobState, Outcome, Report
from shared.jobs.queue import Queue

#: Between attempts to listen while Postgres is away.
RECONNECT_S = 0.5


class PostgresTransport:
    """JobTransport on a Queue, woken by NOTIFY through one connection of its own."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._connection: psycopg.Connection[Any] | None = None
        self._listening = False

    def claim(self, kinds: Sequence[str], limit: int, token: UUID, worker: str) -> Claim:
        claim = self._queue.claim(kinds, limit, token, worker)
        if claim.jobs:
            # a listener that does not read for an hour would hold up everybody's notifications
            self._say("unlisten jobs", listening=False)
        return claim

    def heartbeat(self, token: UUID, reports: Mapping[int, Report]) -> dict[int, Beat]:
        return self._queue.heartbeat(token, reports)

    def complete(self, token: UUID, outcomes: Mapping[int, Outcome]) -> dict[int, Completion]:
        return self._queue.complete_many(token, outcomes)

    def fail(self, job_id: int, token: UUID, error: str, *, retry: bool, counted: bool) -> JobState:
        return self._queue.fail(job_id, token, error, retry=retry, counted=counted)

    def wait(self, seconds: float) -> bool:
        if self._connection is None or not self._listening:
            # jobs may have come before anybody listened, so the caller looks once more
            return self._say("listen jobs", listening=True)
        try:
            woken = False
            for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                woken = True
        except psycopg.Error:
            self._hang_up()
            return True
        return woken

    def close(self, worker: str) -> None:
        self._hang_up()
        try:
            self._queue.leave(worker)
        except Unavailable:
            return  # it will show as lost for a while

    def _say(self, statement: str, *, listening: bool) -> bool:
        """Start or stop listening; False, after a pause, when Postgres is away."""
        if listening == self._listening:
            return True
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._queue.database.url, autocommit=True)
            self._connection.execute(statement.encode())
        except psycopg.Error:
            self._hang_up()
            if listening:
                time.sleep(RECONNECT_S)
            return False
        self._listening = listening
        return True

    def _hang_up(self) -> None:
        self._listening = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
