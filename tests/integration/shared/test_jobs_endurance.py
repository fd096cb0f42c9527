"""What must hold in the long run: crash after crash, a forgotten session, wake-ups that are cut off."""

# ruff: noqa: T201 - the figures are half of what these tests are run for

import random
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from jobs_support import QUICK, WorkerProcess, effects, job, make_queue
from test_jobs_chaos import Party

from shared.jobs.model import JobState, Outcome
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.waiting import eventually

pytestmark = pytest.mark.slow

#: Longer than any pool or lease waits.
OUTAGE_S = 45.0
#: A worker that lives was heard from more recently than this.
SILENCE = timedelta(seconds=15)
#: What a busy machine may add to a wait.
MARGIN = timedelta(seconds=20)


@pytest.fixture
def queue(database: Database) -> Queue:
    return make_queue(database)


@pytest.fixture
def party(tmp_path: Path) -> Iterator[Party]:
    party = Party(tmp_path)
    yield party
    party.end()


def rows(database: Database, text: str) -> list[dict[str, Any]]:
    with database.transaction() as conn:
        return conn.execute(text.encode()).fetchall()


def completed(queue: Queue) -> int:
    return sum(count.jobs for count in queue.counts() if count.state is JobState.COMPLETED)


def resumed_unaided(party: Party) -> bool:
    """Every worker process is the one that was started, and all of them are heard from again."""
    assert [worker.process.poll() for worker in party.workers] == [None] * len(party.workers)
    heard = rows(party.database, "select clock_timestamp() - last_seen as silent from jobs.worker")
    return len(heard) == len(party.workers) and all(row["silent"] < SILENCE for row in heard)


def test_ten_kills_of_postgres_lose_nothing_and_double_nothing(party: Party):
    """3 workers drain jobs while kill -9 and restart follow each other."""
    ids = party.queue.submit([job("add", n=n, seconds=0.02) for n in range(600)])
    # a job may meet more kills than it has attempts; here that is not the point
    with party.database.transaction() as conn:
        conn.execute("update jobs.job set max_attempts = 100")
    for number in range(3):
        party.start(batch=1 + 4 * (number % 2))
    for round_ in range(10):
        goal = 40 * round_ + 10
        eventually(lambda goal=goal: completed(party.queue) >= goal, 60, what=f"{goal} jobs are done")
        party.kill_postgres()
        party.start_postgres()
    assert completed(party.queue) < len(ids), "the last kill met work that was under way"
    party.all_ended(90)
    assert {count.state: count.jobs for count in party.queue.counts()} == {JobState.COMPLETED: len(ids)}
    assert effects(party.database) == dict.fromkeys(ids, 1)
    eventually(lambda: resumed_unaided(party), 20, what="every worker is heard from")


def test_workers_resume_unaided_after_postgres_was_away_for_three_quarters_of_a_minute(party: Party):
    ids = party.queue.submit([job("add", n=n, seconds=0.2) for n in range(60)])
    for _ in range(4):
        party.start()
    eventually(lambda: completed(party.queue) >= 4, 30, what="work is under way")
    party.kill_postgres()
    threading.Event().wait(OUTAGE_S)  # not a wait for something: the outage itself
    party.start_postgres()
    assert completed(party.queue) < len(ids)
    party.all_ended(60)
    assert {count.state: count.jobs for count in party.queue.counts()} == {JobState.COMPLETED: len(ids)}
    assert effects(party.database) == dict.fromkeys(ids, 1)
    eventually(lambda: resumed_unaided(party), 20, what="every worker is heard from")


@pytest.mark.parametrize("priorities", ["random", "few and often equal", "all equal"])
def test_four_claimers_at_once_take_no_job_before_four_better_ones(queue: Queue, priorities: str):
    """A better job may be passed over only while another claimer is taking it: at most one for each of the others."""
    claimers = 4
    rng = random.Random(3)
    draw = {"random": rng.random, "few and often equal": lambda: rng.randrange(5) / 2, "all equal": lambda: 0.5}
    queue.submit([job("add", priority=draw[priorities]()) for _ in range(2000)])
    barrier = threading.Barrier(claimers)

    def drain(name: int) -> None:
        barrier.wait()
        while queue.claim(["testjobs.add"], 1, uuid4(), f"w{name}").jobs:
            pass

    with ThreadPoolExecutor(claimers) as pool:
        list(pool.map(drain, range(claimers)))
    order = rows(queue.database, "select id, -priority as rank, attempt from jobs.job order by started_at")
    assert {row["attempt"] for row in order} == {1}
    keys = [(row["rank"], row["id"]) for row in order]
    ideal = {key: place for place, key in enumerate(sorted(keys))}
    early = max(ideal[key] - place for place, key in enumerate(keys))
    passed_over = max(sum(later < key for later in keys[place + 1 :]) for place, key in enumerate(keys))
    late = max(place - ideal[key] for place, key in enumerate(keys))
    print(f"{priorities}: {passed_over} better jobs passed over, {early} places early, {late} places late")
    assert passed_over < claimers
    assert early < claimers


def test_a_session_that_never_lets_go_of_its_snapshot_stops_no_claims(
    queue: Queue, database: Database, database_url: str
):
    """Nothing that 20,000 jobs leave behind can be cleaned up while it is open."""
    rng = random.Random(12)
    for _ in range(20):
        queue.submit([job("add", priority=rng.random()) for _ in range(1000)])
    took: list[float] = []

    def drain(name: int) -> None:
        while True:
            token = uuid4()
            began = time.monotonic()
            jobs = queue.claim(["testjobs.add"], 8, token, f"w{name}").jobs
            took.append(time.monotonic() - began)
            if not jobs:
                return
            queue.complete_many(token, {found.id: Outcome(result={"n": 1}) for found in jobs})

    pending = "select count(*) from jobs.job where state = 'PENDING'"
    with psycopg.connect(database_url) as holder:
        holder.execute("set transaction isolation level repeatable read")
        assert holder.execute(pending).fetchone() == (20_000,)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(drain, range(2)))
        assert holder.execute(pending).fetchone() == (20_000,), "the snapshot was held all the time"
    for name, part in (("first", took[: len(took) // 2]), ("second", took[len(took) // 2 :])):
        cuts = statistics.quantiles(part, n=100)
        print(f"{name} {len(part)} claims: median {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms")
    assert {count.state: count.jobs for count in queue.counts()} == {JobState.COMPLETED: 20_000}
    applied = effects(database)
    assert (len(applied), set(applied.values())) == (20_000, {1})
    assert {row["attempt"] for row in rows(database, "select distinct attempt from jobs.job")} == {1}


def test_no_job_out_of_10000_waits_longer_than_a_poll_while_listening_is_cut(
    queue: Queue, database: Database, database_url: str, tmp_path: Path
):
    """Two idle and busy workers whose LISTEN connections are terminated at random; waits by the database's clock."""
    env = {"DATABASE_URL": database_url, "BARSMITH_HOME": str(tmp_path)}
    workers = [WorkerProcess(tmp_path, f"w{n}", env, {"batch": 50, "kinds": ["testjobs.add"]}) for n in range(2)]
    rng = random.Random(13)
    left, cut = 10_000, 0

    def idle() -> bool:
        return not queue.jobs(state=JobState.PENDING, per_page=1)[1]

    try:
        eventually(lambda: len(queue.workers()) == 2, 30, what="both workers are ready")
        with psycopg.connect(database_url, autocommit=True) as conn:
            while left:
                size = min(left, rng.randrange(1, 80))
                queue.submit([job("add", n=1) for _ in range(size)])
                left -= size
                if rng.random() < 0.4:
                    cut += conn.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where datname = current_database() and query like '%listen jobs'"
                    ).rowcount
                if rng.random() < 0.4:  # so that they listen again, and no job waits for other jobs
                    eventually(idle, 60, what="all jobs are taken")
        eventually(lambda: completed(queue) == 10_000, 60, what="all jobs are done")
    finally:
        for worker in workers:
            worker.end()
    [waits] = rows(
        database,
        "select max(started_at - created_at) as longest, max(attempt) as attempts,"
        " percentile_disc(0.99) within group (order by started_at - created_at) as p99 from jobs.job",
    )
    print(f"{cut} connections cut; waited at most {waits['longest']}, p99 {waits['p99']}")
    assert cut > 20
    assert waits["attempts"] == 1
    assert waits["longest"] < QUICK.poll_every + MARGIN
    applied = effects(database)
    assert (len(applied), set(applied.values())) == (10_000, {1})
