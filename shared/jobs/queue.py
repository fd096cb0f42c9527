"""The queue: one Postgres table, and every transition a single transaction on it.

A worker draws a token for each claim; every later step of that claim names it, so whoever lost the job meanwhile
(its lease ran out, it was cancelled) changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from shared.errors import Conflict, InvalidInput, NotFound
from shared.jobs.model import (
    Activity,
    Attempt,
    Beat,
    Claim,
    Completion,
    Count,
    EffectFailed,
    Group,
    Job,
    JobState,
    LeaseLost,
    Outcome,
    Report,
    Submission,
    Timing,
    WorkerInfo,
    storable,
    to_json,
)
from shared.storage.migrate import migrate
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries

LARGEST_CLAIM = 100
#: jobs deleted in one transaction
_FORGET_AT_ONCE = 5_000


@dataclass
class _Answer:
    id: int
    answer: str


class Queue:
    """Submit, follow and cancel jobs; and, for workers, claim and end them.

    Safe to share between threads. Every method raises Unavailable when Postgres does not answer.
    """

    def __init__(self, database: Database, timing: Timing | None = None) -> None:
        self.database = database
        self.timing = timing or Timing()
        self._queries = Queries.of("shared.jobs")

    def migrate(self) -> None:
        """Create or update the queue's tables."""
        migrate(self.database, "jobs", "shared.jobs")

    # --- for those who want work done

    def submit(self, submissions: Sequence[Submission], *, conn: Connection | None = None) -> list[int]:
        """Enqueue jobs and return their ids in order; a live `unique_key` gives the live job's id.

        With `conn`, in the caller's transaction. Raises InvalidInput for a payload that is not JSON.
        """
        if not submissions:
            return []
        items = to_json("a job's payload", [submission.row() for submission in submissions])
        with self._transaction(conn) as within:
            return self._queries.value(within, "submit", items=items)

    def submit_group(self, group: Group, *, conn: Connection | None = None) -> int:
        """Enqueue a group and return its id. An empty group enqueues its continuation at once."""
        items = to_json("a job's payload", [submission.row() for submission in group.jobs])
        continuation = to_json("a continuation's payload", group.continuation.row())
        with self._transaction(conn) as within:
            return self._queries.value(within, "submit_group", items=items, continuation=continuation)

    def job(self, job_id: int) -> Job:
        """Return one job. Raises NotFound."""
        with self.database.transaction() as conn:
            return self._job(conn, job_id)

    def jobs(
        self,
        *,
        kind: str | None = None,
        state: JobState | None = None,
        group_id: int | None = None,
        page: int = 1,
        per_page: int = 100,
    ) -> tuple[list[Job], int]:
        """Return one page of jobs, newest first, and how many there are on all pages."""
        if page < 1 or per_page < 1:
            raise InvalidInput(f"page {page} of {per_page} does not exist: both count from 1")
        filters = {"kind": kind and str(kind), "state": state and str(state), "group_id": group_id}
        with self.database.transaction() as conn:
            total = self._queries.value(conn, "count_jobs", **filters)
            offset = (page - 1) * per_page
            found = self._queries.rows(conn, "jobs", Job, **filters, limit=per_page, offset=offset)
        return found, total

    def newest(self, kinds: Collection[str], limit: int) -> list[Job]:
        """Return the newest jobs of some kinds, however many newer ones of others there are."""
        with self.database.transaction() as conn:
            return self._queries.rows(conn, "newest", Job, kinds=sorted(map(str, kinds)), limit=limit)

    def group(self, group_id: int) -> list[Job]:
        """Return the members of a group in the order they were submitted. Raises NotFound."""
        with self.database.transaction() as conn:
            members = self._queries.rows(conn, "group", Job, group_id=group_id)
            if not members and self._queries.value(conn, "group_exists", group_id=group_id) is None:
                raise NotFound(f"there is no group {group_id}")
        return members

    def cancel(self, job_id: int) -> Job:
        """Call a job off. A running one ends at once too; its worker is told at its next heartbeat.

        Cancelling twice changes nothing. Raises NotFound, and Conflict when the job ended otherwise.
        """
        with self.database.transaction() as conn:
            before = self._queries.value(conn, "cancel", job_id=job_id)
            job = self._job(conn, job_id)
        if before in (JobState.COMPLETED, JobState.FAILED):
            raise Conflict(f"job {job_id} is {before}: only pending and running jobs can be cancelled")
        return job

    def again(self, job_id: int) -> int:
        """Submit what a job asked for once more and return the new job's id; the old one stays as it is.

        Raises NotFound, and Conflict for one that has not failed or been cancelled, or that others of a group wait for.
        """
        job = self.job(job_id)
        if job.state not in (JobState.FAILED, JobState.CANCELLED):
            raise Conflict(f"job {job_id} is {job.state}: only failed and cancelled jobs can be done again")
        if job.group_id is not None:
            raise Conflict(f"job {job_id} belongs to group {job.group_id}: what submitted the group has to do so again")
        kept = ("kind", "payload", "priority", "unique_key", "max_attempts", "max_runtime")
        return self.submit([Submission(**{name: getattr(job, name) for name in kept})])[0]

    def live(self, unique_key: str) -> Job | None:
        """Return the job of a unique key that has not ended."""
        with self.database.transaction() as conn:
            return self._queries.row(conn, "live", Job, unique_key=unique_key)

    def forgettable(self, before: datetime) -> int:
        """Count the jobs that ended before a moment."""
        with self.database.transaction() as conn:
            return self._queries.value(conn, "count_forgettable", before=before)

    def forget(self, before: datetime) -> int:
        """Delete the jobs that ended before a moment, and their history; return how many.

        Those of a group that goes on stay: its continuation may still ask for them.
        """
        gone = 0
        while True:
            with self.database.transaction() as conn:
                some = self._queries.value(conn, "forget", before=before, limit=_FORGET_AT_ONCE)
            gone += some
            if some < _FORGET_AT_ONCE:
                return gone

    def attempts(self, job_id: int) -> list[Attempt]:
        """Return the attempts at a job that have ended, oldest first."""
        with self.database.transaction() as conn:
            return self._queries.rows(conn, "attempts", Attempt, job_id=job_id)

    def counts(self) -> list[Count]:
        """Return how many jobs there are of each kind and state."""
        with self.database.transaction() as conn:
            return self._queries.rows(conn, "counts", Count)

    def activity(self) -> list[Activity]:
        """Return what each kind of job waits for and gets done, for dashboards."""
        with self.database.transaction() as conn:
            return self._queries.rows(conn, "activity", Activity)

    def workers(self) -> list[WorkerInfo]:
        """Return every worker seen in the last day and what it does now."""
        with self.database.transaction() as conn:
            return self._queries.rows(conn, "workers", WorkerInfo)

    # --- for workers

    def claim(self, kinds: Sequence[str], limit: int, token: UUID, worker: str) -> Claim:
        """Take up to `limit` ready jobs of `kinds`, highest priority first, then the oldest.

        Asked again with the same token, because the answer was lost, it returns the same jobs.
        """
        if not 1 <= limit <= LARGEST_CLAIM:
            raise InvalidInput(f"cannot claim {limit} jobs: ask for 1 to {LARGEST_CLAIM}")
        wanted = sorted({str(kind) for kind in kinds})
        with self.database.transaction() as conn:
            jobs = self._queries.rows(
                conn, "claim", Job, kinds=wanted, limit=limit, token=token, worker=worker, lease=self.timing.lease
            )
        return Claim(jobs, self.timing.lease)

    def heartbeat(self, token: UUID, reports: Mapping[int, Report]) -> dict[int, Beat]:
        """Extend the leases of the named jobs, store how far they are, and say which to stop."""
        rows = [{"id": job_id, "progress": report.fraction, "note": report.note} for job_id, report in reports.items()]
        text = to_json("progress", rows)
        with self.database.transaction() as conn:
            answers = self._queries.rows(conn, "heartbeat", _Answer, token=token, reports=text, lease=self.timing.lease)
        return {answer.id: Beat(answer.answer) for answer in answers}

    def complete(self, job_id: int, token: UUID, outcome: Outcome) -> Completion:
        """Store the result, apply the kind's effect and enqueue what follows, in one transaction.

        A second completion with the same token answers ALREADY_DONE and changes nothing. Raises LeaseLost when the
        job is no longer this worker's, EffectFailed when the effect function raises, InvalidInput when the result
        is not JSON; nothing is stored then.
        """
        answer = self.complete_many(token, {job_id: outcome})[job_id]
        if answer is Completion.LOST:
            raise LeaseLost(f"job {job_id} is no longer yours: its lease ran out, or it was cancelled")
        return answer

    def complete_many(self, token: UUID, outcomes: Mapping[int, Outcome]) -> dict[int, Completion]:
        """Complete several jobs of one claim in one transaction: all of them, or none when an effect raises."""
        rows = [{"id": job_id, "result": dict(outcome.result)} for job_id, outcome in outcomes.items()]
        text = to_json("a job's result", rows)
        try:
            with self.database.transaction() as conn:
                answers = self._queries.rows(conn, "complete", _Answer, token=token, results=text)
                settled = {answer.id: Completion(answer.answer) for answer in answers}
                for job_id, completion in settled.items():
                    if completion is Completion.DONE:
                        self._submit_all(conn, outcomes[job_id].submit)
        except psycopg.Error as error:
            raise EffectFailed(f"the effect of {_names(outcomes)} was refused: {error}") from error
        return settled

    def fail(self, job_id: int, token: UUID, error: str, *, retry: bool = True, counted: bool = True) -> JobState:
        """End an attempt without a result and return the job's new state.

        With `retry` it goes back to PENDING after a pause while attempts are left. An attempt that is not `counted`
        (the worker was told to stop) may be taken again at once. Raises LeaseLost.
        """
        with self.database.transaction() as conn:
            state = self._queries.value(
                conn,
                "fail",
                job_id=job_id,
                token=token,
                error=storable(error),
                retry=retry,
                counted=counted,
                backoff=self.timing.backoff,
            )
        if state is None:
            raise LeaseLost(f"job {job_id} is no longer yours: its lease ran out, or it was cancelled")
        return JobState(state)

    def rescue(self) -> int:
        """Take back the jobs whose lease ran out and return how many. Any process may, at any time."""
        with self.database.transaction() as conn:
            return self._queries.value(conn, "rescue", backoff=self.timing.backoff)

    def leave(self, worker: str) -> None:
        """Forget a worker that stopped by itself, so that it does not show as lost."""
        with self.database.transaction() as conn:
            self._queries.run(conn, "leave", worker=worker)

    # --- inside

    @contextmanager
    def _transaction(self, conn: Connection | None) -> Iterator[Connection]:
        if conn is not None:
            yield conn
            return
        with self.database.transaction() as own:
            yield own

    def _job(self, conn: Connection, job_id: int) -> Job:
        job = self._queries.row(conn, "job", Job, job_id=job_id)
        if job is None:
            raise NotFound(f"there is no job {job_id}")
        return job

    def _submit_all(self, conn: Connection, what: Sequence[Submission | Group]) -> None:
        self.submit([one for one in what if isinstance(one, Submission)], conn=conn)
        for one in what:
            if isinstance(one, Group):
                self.submit_group(one, conn=conn)


def _names(outcomes: Mapping[int, Outcome]) -> str:
    return ", ".join(f"job {job_id}" for job_id in outcomes)
