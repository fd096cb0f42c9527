"""The queue against a model in twenty lines of Python: any order of steps, with leases that went stale on the way."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from jobs_support import effects, make_queue

from shared.errors import Conflict
from shared.jobs.model import Beat, Completion, JobState, LeaseLost, Outcome, Report, Submission, Timing
from shared.jobs.queue import Queue
from shared.storage.postgres import Database

ATTEMPTS = 2
PENDING, RUNNING = JobState.PENDING, JobState.RUNNING
COMPLETED, FAILED, CANCELLED = JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED


@dataclass
class Expected:
    """What the model knows of a job. `holds`: every token that ever held it, the newest last."""

    priority: float
    key: str | None
    state: JobState = PENDING
    attempt: int = 0
    holds: list[UUID] = field(default_factory=list)

    def held_by(self, token: UUID) -> bool:
        return self.state is RUNNING and self.holds[-1] == token

    def release(self) -> None:
        self.state = PENDING if self.attempt < ATTEMPTS else FAILED


class QueueMachine(RuleBasedStateMachine):
    """Every step is taken on the queue and in the model; afterwards both must look the same."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        self.jobs: dict[int, Expected] = {}
        self.holds: list[tuple[int, UUID]] = []

    @initialize()
    def empty(self) -> None:
        with self.queue.database.transaction() as conn:
            conn.execute("truncate jobs.job, jobs.membership, jobs.job_group, jobs.job_attempt, testjobs.effect")

    @rule(priority=st.sampled_from([0.0, 0.5, -1.0]), key=st.sampled_from([None, "a", "b"]))
    def submit(self, priority: float, key: str | None) -> None:
        submission = Submission(
            kind="testjobs.add", payload={}, priority=priority, unique_key=key, max_attempts=ATTEMPTS
        )
        live = [
            job_id for job_id, job in self.jobs.items() if key is not None and job.key == key and not job.state.ended
        ]
        [job_id] = self.queue.submit([submission])
        if live:
            assert [job_id] == live
        else:
            assert job_id not in self.jobs
            self.jobs[job_id] = Expected(priority, key)

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        pending = [(-job.priority, job_id) for job_id, job in self.jobs.items() if job.state is PENDING]
        wanted = [job_id for _, job_id in sorted(pending)[:limit]]
        token = uuid4()
        claimed = self.queue.claim(["testjobs.add"], limit, token, "w").jobs
        assert [job.id for job in claimed] == wanted
        for job_id in wanted:
            job = self.jobs[job_id]
            job.state, job.attempt = RUNNING, job.attempt + 1
            job.holds.append(token)
            self.holds.append((job_id, token))

    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        if not self.holds:
            return
        job_id, token = data.draw(st.sampled_from(self.holds))
        job = self.jobs[job_id]
        cancelled = job.state is CANCELLED and job.holds[-1] == token
        expected = Beat.OK if job.held_by(token) else Beat.CANCELLED if cancelled else Beat.LOST
        assert self.queue.heartbeat(token, {job_id: Report(0.5)}) == {job_id: expected}

    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        if not self.holds:
            return
        job_id, token = data.draw(st.sampled_from(self.holds))
        job = self.jobs[job_id]
        if job.held_by(token):
            expected, job.state = Completion.DONE, COMPLETED
        elif job.state is COMPLETED and job.holds[-1] == token:
            expected = Completion.ALREADY_DONE
        else:
            expected = Completion.LOST
        assert self.queue.complete_many(token, {job_id: Outcome(result={"n": 1})}) == {job_id: expected}

    @rule(data=st.data(), retry=st.booleans(), counted=st.booleans())
    def fail(self, data: st.DataObject, *, retry: bool, counted: bool) -> None:
        if not self.holds:
            return
        job_id, token = data.draw(st.sampled_from(self.holds))
        job = self.jobs[job_id]
        if not job.held_by(token):
            repeated = job.state in (PENDING, FAILED) and job.holds[-1] == token
            try:
                assert self.queue.fail(job_id, token, "x", retry=retry, counted=counted) is job.state
            except LeaseLost:
                assert not repeated
            return
        if not retry:
            job.state = FAILED
        elif counted:
            job.release()
        else:
            job.state, job.attempt = PENDING, job.attempt - 1
        assert self.queue.fail(job_id, token, "x", retry=retry, counted=counted) is job.state

    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        running = [job_id for job_id, job in self.jobs.items() if job.state is RUNNING]
        gone = data.draw(st.lists(st.sampled_from(running), unique=True)) if running else []
        with self.queue.database.transaction() as conn:
            conn.execute("update jobs.job set lease_expires_at = now() - interval '1 s' where id = any(%s)", [gone])
        assert self.queue.rescue() == len(gone)
        for job_id in gone:
            self.jobs[job_id].release()

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if not self.jobs:
            return
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        job = self.jobs[job_id]
        try:
            assert self.queue.cancel(job_id).state is CANCELLED
        except Conflict:
            assert job.state in (COMPLETED, FAILED)
        else:
            assert job.state in (PENDING, RUNNING, CANCELLED)
            job.state = CANCELLED

    @invariant()
    def the_queue_looks_like_the_model(self) -> None:
        found = {job.id: (job.state, job.attempt) for job in self.queue.jobs(per_page=1000)[0]}
        assert found == {job_id: (job.state, job.attempt) for job_id, job in self.jobs.items()}
        completed = [job_id for job_id, job in self.jobs.items() if job.state is COMPLETED]
        assert effects(self.queue.database) == dict.fromkeys(completed, 1)


def test_any_order_of_steps_gives_what_the_model_says(database: Database):
    queue = make_queue(database, Timing(backoff=timedelta(0)))
    run_state_machine_as_test(
        lambda: QueueMachine(queue),
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
