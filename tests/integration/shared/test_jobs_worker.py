"""Real worker processes: what they compute, and what they do when told to stop or let down."""

import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from jobs_support import WorkerProcess, alive, effects, job, make_queue

from shared.jobs.model import JobState, Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.ports import free_port
from shared.testing.waiting import eventually

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def queue(database: Database) -> Queue:
    return make_queue(database)


@pytest.fixture
def start_worker(database_url: str, tmp_path: Path) -> Iterator[StartWorker]:
    started: list[WorkerProcess] = []

    def start(**options: object) -> WorkerProcess:
        env = {"DATABASE_URL": database_url, "BARSMITH_HOME": str(tmp_path)}
        worker = WorkerProcess(tmp_path, f"w{len(started)}", env, options)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.end()


def ended(queue: Queue, job_id: int, timeout: float = 15.0):
    return eventually(
        lambda: (found := queue.job(job_id)).state.ended and found, timeout, what=f"job {job_id} has ended"
    )


def test_a_worker_computes_applies_the_effect_and_reports_progress(queue, database, start_worker):
    start_worker()
    first, second = queue.submit([job("add", n=7), job("sleep", seconds=1.5)])
    assert ended(queue, first).result == {"n": 7, "attempt": 1}
    assert effects(database) == {first: 1}
    seen = eventually(lambda: (found := queue.job(second)).progress > 0 and found, what="progress is shown")
    assert seen.note == "sleeping"
    [worker] = queue.workers()
    assert (worker.id, worker.lost, worker.job_id) == ("w0", False, second)
    assert ended(queue, second).progress == 1.0
    assert [attempt.outcome for attempt in queue.attempts(second)] == ["COMPLETED"]


def test_the_ways_a_handler_can_fail_end_in_words(queue, database, start_worker):
    start_worker()
    names = ("refuse", "not_a_number", "reject", "break_down", "kill_self")
    refused, nan, rejected, broken, suicide = queue.submit([job(name, n=5) for name in names])

    assert ended(queue, refused).error == "n=5 is not a number we like"
    assert len(queue.attempts(refused)) == 1, "the same input would fail the same way"
    assert "JSON" in (ended(queue, nan).error or "")
    assert "the registry says no" in (ended(queue, rejected).error or "")
    assert effects(database) == {}, "a refused effect leaves nothing behind"

    text = ended(queue, broken).error or ""
    assert "RuntimeError: no luck with" in text
    assert "jobs_support.py:" in text
    assert "worker-secret" not in text
    assert [attempt.outcome for attempt in queue.attempts(broken)] == ["FAILED"] * 3

    assert "killed by SIGKILL" in (ended(queue, suicide).error or "")
    [after] = queue.submit([job("add", n=1)])
    assert ended(queue, after).state is JobState.COMPLETED, "the others go on"


def test_what_cannot_be_stored_costs_neither_the_lease_nor_the_worker(queue, start_worker):
    worker = start_worker()
    [babbling] = queue.submit([Submission(kind="testjobs.babble", payload={}, max_attempts=1)])
    found = ended(queue, babbling)
    assert "half a ? and a NUL" in (found.error or "")
    assert [attempt.outcome for attempt in queue.attempts(babbling)] == ["FAILED"]
    assert worker.process.poll() is None


def test_a_worker_without_a_database_stops_when_told(tmp_path):
    env = {"DATABASE_URL": f"postgresql://x@127.0.0.1:{free_port()}/x", "BARSMITH_HOME": str(tmp_path)}
    worker = WorkerProcess(tmp_path, "alone", env, {})
    eventually(lambda: "queue_away" in worker.log.read_text(), 15, what="it says that the queue does not answer")
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(15) == 0
    assert "Traceback" not in worker.log.read_text()


def test_a_job_that_kills_its_worker_fails_after_its_attempts(queue, start_worker):
    """Poison: each worker that touches it dies, so only the expiry of leases can end it."""
    [poison] = queue.submit([job("kill_worker")])
    for attempt in (1, 2, 3):
        worker = start_worker()
        worker.process.wait(15)
        eventually(lambda n=attempt: len(rescued(queue, poison)) == n, what=f"attempt {attempt} is taken back")
    found = queue.job(poison)
    assert found.state is JobState.FAILED
    assert "stopped answering during attempt 3 of 3" in (found.error or "")


def rescued(queue: Queue, job_id: int) -> list[str]:
    queue.rescue()
    return [attempt.outcome for attempt in queue.attempts(job_id) if attempt.outcome == "LEASE_EXPIRED"]


def test_a_job_that_holds_the_interpreter_for_three_leases_is_not_taken_for_dead(queue, start_worker):
    start_worker()
    start_worker()
    [held] = queue.submit([job("hold_interpreter", seconds=3)])
    assert ended(queue, held).result == {"attempt": 1}
    assert len(queue.attempts(held)) == 1


def test_cancelling_kills_the_computation(queue, start_worker):
    worker = start_worker()
    [long, next_one] = queue.submit([job("sleep", seconds=60), job("add", n=1)])
    eventually(lambda: queue.job(long).progress > 0, what="it computes")
    [child] = worker.children()
    assert queue.cancel(long).state is JobState.CANCELLED
    eventually(lambda: not alive(child), 5, what="the computing process is gone")
    assert ended(queue, next_one).state is JobState.COMPLETED
    assert queue.job(long).state is JobState.CANCELLED


def test_a_job_beyond_its_max_runtime_is_killed(queue, start_worker):
    start_worker()
    [late] = queue.submit(
        [
            Submission(
                kind="testjobs.sleep",
                payload={"seconds": 60},
                max_attempts=1,
                max_runtime=timedelta(seconds=0.3),
            )
        ]
    )
    found = ended(queue, late)
    assert found.state is JobState.FAILED
    assert "max_runtime" in (found.error or "")


def test_a_stopped_worker_gives_its_job_back_without_counting_the_attempt(queue, start_worker):
    worker = start_worker()
    [long] = queue.submit([job("sleep", seconds=3)])
    eventually(lambda: queue.job(long).progress > 0, what="it computes")
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(5) == 0
    found = queue.job(long)
    assert (found.state, found.attempt) == (JobState.PENDING, 0)
    assert [attempt.outcome for attempt in queue.attempts(long)] == ["GIVEN_BACK"]
    assert queue.workers() == [], "it said good-bye"
    start_worker()
    assert ended(queue, long).result["attempt"] == 1


def test_nothing_computes_on_after_the_worker_was_killed(queue, start_worker):
    worker = start_worker()
    [long] = queue.submit([job("sleep", seconds=60)])
    eventually(lambda: queue.job(long).progress > 0, what="it computes")
    [child] = worker.children()
    worker.signal(signal.SIGKILL)
    eventually(lambda: not alive(child), 5, what="its computing process is gone")


def test_the_child_computes_with_as_many_threads_as_the_settings_say(queue, start_worker):
    start_worker(threads=1)
    [counted] = queue.submit([job("threads")])
    assert ended(queue, counted).result == {"polars": 1, "omp": "1"}


def test_a_batch_of_short_jobs_is_completed_together_and_singly_when_one_is_refused(queue, database, start_worker):
    ids = queue.submit([job("add", n=n) for n in range(30)] + [job("reject")] + [job("add", n=n) for n in range(5)])
    start_worker(batch=10)
    states = [ended(queue, job_id).state for job_id in ids]
    assert states == [JobState.COMPLETED] * 30 + [JobState.FAILED] + [JobState.COMPLETED] * 5
    assert effects(database) == dict.fromkeys([*ids[:30], *ids[31:]], 1)
