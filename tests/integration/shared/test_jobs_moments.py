"""What must hold at single moments: inside a completion, after a lease ran out, while listening is cut."""

import os
import random
import signal
import threading
import time
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from jobs_support import WorkerProcess, effects, job, make_queue

from shared.jobs.model import JobState, Outcome
from shared.jobs.postgres_transport import PostgresTransport
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.waiting import eventually


@pytest.fixture
def queue(database: Database) -> Queue:
    return make_queue(database)


@pytest.mark.parametrize("moment", ["before the effect", "after the effect", "before the commit"])
def test_a_worker_killed_inside_its_completion_leaves_all_or_nothing(
    queue: Queue, database: Database, database_url: str, tmp_path: Path, moment: str
):
    """The effect function itself stops the completion at the moment of the kill, by waiting for a lock."""
    wait = "perform pg_advisory_xact_lock_shared(42);"
    insert = "insert into testjobs.effect values (job_id, 1);"
    body = {"before the effect": wait + insert, "after the effect": insert + wait, "before the commit": insert}[moment]
    with database.transaction() as conn:
        conn.execute(
            "create function testjobs.on_sleep(job_id bigint, payload jsonb, result jsonb) returns void"
            f" language plpgsql as $$ begin {body} end $$".encode()
        )
        if moment == "before the commit":
            conn.execute(
                "create function testjobs.late() returns trigger language plpgsql as"
                f" $$ begin {wait} return null; end $$".encode()
            )
            conn.execute(
                "create constraint trigger late after insert on testjobs.effect deferrable initially deferred"
                " for each row execute function testjobs.late()"
            )
    [job_id] = queue.submit([job("sleep", seconds=0.05)])
    env = {"DATABASE_URL": database_url, "BARSMITH_HOME": str(tmp_path)}
    with psycopg.connect(database_url, autocommit=True) as lock:
        lock.execute("select pg_advisory_lock(42)")
        worker = WorkerProcess(tmp_path, "first", env, {})
        eventually(lambda: _waiting(lock), what="the completion is under way")
        worker.end()
        lock.execute("select pg_advisory_unlock(42)")
    second = WorkerProcess(tmp_path, "second", env, {})
    # killed after it was sent, a completion may still commit: both ends are right, half of one is not
    found = eventually(lambda: (one := queue.job(job_id)).state.ended and one, what="the job has ended")
    second.end()
    assert found.state is JobState.COMPLETED
    assert effects(database) == {job_id: 1}


def _waiting(conn: psycopg.Connection) -> bool:
    row = conn.execute("select count(*) from pg_locks where locktype = 'advisory' and not granted").fetchone()
    return bool(row and row[0])


@pytest.mark.parametrize("meanwhile", ["second attempt runs", "second attempt completed"])
def test_a_worker_that_slept_past_its_lease_changes_nothing_when_it_wakes(
    queue: Queue, database: Database, database_url: str, tmp_path: Path, meanwhile: str
):
    """SIGSTOP of the parent and its child, as a suspended machine does it."""
    env = {"DATABASE_URL": database_url, "BARSMITH_HOME": str(tmp_path)}
    [job_id] = queue.submit([job("add", seconds=0.6)])
    sleeper = WorkerProcess(tmp_path, "sleeper", env, {})
    eventually(lambda: queue.job(job_id).state is JobState.RUNNING, what="it computes")
    family = [sleeper.pid, *sleeper.children()]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    eventually(lambda: queue.rescue() == 1, what="the lease has run out")
    token = eventually(lambda: claimed(queue), what="the second attempt")
    if meanwhile == "second attempt completed":
        queue.complete(job_id, token, Outcome(result={"n": 5}))
    before = queue.job(job_id)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    log_says(sleeper, "lease_lost", "job_stopped")
    if meanwhile == "second attempt runs":
        assert queue.job(job_id).worker_id == "second"
        queue.complete(job_id, token, Outcome(result={"n": 5}))
    else:
        assert queue.job(job_id) == before
    assert queue.job(job_id).result == {"n": 5}
    assert effects(database) == {job_id: 1}
    sleeper.end()


def claimed(queue: Queue) -> UUID | None:
    token = uuid4()
    return token if queue.claim(["testjobs.add"], 1, token, "second").jobs else None


def log_says(worker: WorkerProcess, *actions: str) -> None:
    eventually(lambda: any(action in worker.log.read_text() for action in actions), what=f"the log says {actions}")


def test_no_wake_up_is_missed_while_listening_is_cut_again_and_again(queue: Queue, database_url: str):
    """An idle worker's loop, its LISTEN connection terminated at random: no job waits for the five-second poll."""
    transport = PostgresTransport(queue)
    waited: list[float] = []
    stop = threading.Event()

    def worker() -> None:
        while not stop.is_set():
            token = uuid4()
            jobs = transport.claim(["testjobs.add"], 20, token, "w").jobs
            if jobs:
                transport.complete(token, {found.id: Outcome(result={"n": 1}) for found in jobs})
            else:
                began = time.monotonic()
                transport.wait(5.0)
                waited.append(time.monotonic() - began)

    thread = threading.Thread(target=worker)
    thread.start()
    rng = random.Random(1)
    with psycopg.connect(database_url, autocommit=True) as conn:
        for _ in range(200):
            queue.submit([job("add") for _ in range(rng.randrange(1, 10))])
            if rng.random() < 0.15:
                conn.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and query like '%listen jobs'"
                )
        began = time.monotonic()
        eventually(lambda: not queue.jobs(state=JobState.PENDING)[1], 6, what="all jobs are taken")
        took = time.monotonic() - began
    stop.set()
    queue.submit([job("add")])
    thread.join(10)
    transport.close("w")
    assert took < 4, f"a wake-up was missed: the last jobs waited {took:.1f} s"
