"""The queue beside procrastinate, on the same Postgres in the same run.

    python benchmarks/queue.py [--rounds 2] [--jobs 3000]

* drained jobs a second with 1, 2 and 4 worker processes: from the moment the jobs are visible to the last finish,
  by the database's clock; medians, the contestants taking turns within each round. Jobs do nothing.
* time of one claim, its commit included, with 1,000 and with 200,000 jobs pending.

Uses DATABASE_URL when it is set (an empty database, please), else an embedded Postgres in a temporary folder, fsync on.
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

import argparse
import contextlib
import importlib.metadata
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

from benchmarks.queue_workers import KIND, ROLES, procrastinate_app
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Database

LOAD = """
insert into jobs.job (kind, payload, priority, max_attempts, max_runtime, run_after, delayed)
select case when n %% 4 = 0 then 'bench.nothing' else 'bench.other' end, '{}', (n * 7919) %% 1000 / 10.0, 3, '1 h',
    case when n %% 10 = 1 then now() + interval '1 h' else now() end, n %% 10 = 1
from generate_series(1, %(pending)s) as n
"""
PROCRASTINATE_LOAD = """
insert into procrastinate_jobs (queue_name, task_name, priority, args)
select 'default', 'nothing', (n * 7919) %% 1000, '{}' from generate_series(1, %(pending)s) as n
"""


@contextmanager
def workers(role: str, count: int, url: str) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.queue_workers", role, url]
    started = [subprocess.Popen(command, cwd=ROOT) for _ in range(count)]
    try:
        yield
    finally:
        for worker in started:
            worker.kill()
            worker.wait()


# --- drained jobs a second


def drain(role: str, count: int, jobs: int, url: str) -> float:
    """Jobs a second of `count` workers that were awake before the jobs came."""
    enqueue, left, awake, finished = _procrastinate(url) if role == "procrastinate" else _ours(url)
    with workers(role, count, url), psycopg.connect(url, autocommit=True) as conn:
        while (conn.execute(awake.encode()).fetchone() or (0,))[0] < count:  # all have imported and connected
            enqueue(5 * count)
            _until_zero(conn, left)
            time.sleep(0.1)
        enqueue(jobs)
        [began] = conn.execute("select clock_timestamp()").fetchone() or ()
        _until_zero(conn, left)
        [ended] = conn.execute(finished.encode()).fetchone() or ()
    return jobs / (ended - began).total_seconds()


def _until_zero(conn: psycopg.Connection, statement: str) -> None:
    deadline = time.monotonic() + 60
    while (conn.execute(statement.encode()).fetchone() or [1])[0]:
        if time.monotonic() > deadline:
            raise SystemExit("the workers do not drain their queue")
        time.sleep(0.05)


def _ours(url: str) -> tuple[Callable[[int], object], str, str, str]:
    def enqueue(jobs: int) -> None:
        database = Database(url, application_name="bench")
        Queue(database).submit([Submission(kind=KIND, payload={}) for _ in range(jobs)])
        database.close()

    left = "select count(*) from jobs.job where state in ('PENDING', 'RUNNING')"
    return enqueue, left, "select count(distinct worker_id) from jobs.job", "select max(finished_at) from jobs.job"


def _procrastinate(url: str) -> tuple[Callable[[int], object], str, str, str]:
    import procrastinate

    def enqueue(jobs: int) -> None:
        app, _ = procrastinate_app(url)
        with app.replace_connector(procrastinate.SyncPsycopgConnector(conninfo=url)) as sync, sync.open():
            sync.tasks["nothing"].batch_defer(*({} for _ in range(jobs)))

    left = "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"
    awake = "select count(*) from procrastinate_workers"
    return enqueue, left, awake, "select max(at) from procrastinate_events where type = 'succeeded'"


def empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("truncate jobs.job, jobs.membership, jobs.job_group, jobs.job_attempt, jobs.worker")
        conn.execute("truncate procrastinate_jobs, procrastinate_workers cascade")
        conn.execute("checkpoint")


def drains(url: str, rounds: int, jobs: int) -> None:
    speeds: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for count in (1, 2, 4):
            for role in ROLES:
                empty(url)
                share = jobs if role in ("batches of 10", "whole worker") else jobs // 4
                speeds.setdefault((role, count), []).append(drain(role, count, share, url))
    print(f"\ndrained jobs/s (median of {rounds})   1 worker   2 workers   4 workers   beside procrastinate")
    for role in ROLES:
        medians = [statistics.median(speeds[role, count]) for count in (1, 2, 4)]
        peers = [statistics.median(speeds["procrastinate", count]) for count in (1, 2, 4)]
        ratios = " ".join(f"{ours / theirs:5.1f}x" for ours, theirs in zip(medians, peers, strict=True))
        print(f"{role:<30}" + "".join(f"{speed:>12,.0f}" for speed in medians) + f"   {ratios}")


# --- time of a claim


def claims(url: str) -> None:
    print("\nclaim of one job, ms                      1,000 pending       200,000 pending     p99 grows")
    sizes = (1_000, 200_000)
    for name, load, prepare in (
        ("barsmith (3/4 other kinds, 1/10 later)", LOAD, _our_claim),
        ("procrastinate (SQL function alone)", PROCRASTINATE_LOAD, _their_claim),
    ):
        with contextlib.ExitStack() as stack:
            contestants = []
            for pending in sizes:
                address = stack.enter_context(another_database(url))
                with psycopg.connect(address, autocommit=True) as conn:
                    conn.execute(load.encode(), {"pending": pending})
                    conn.execute("analyze")
                contestants.append(stack.enter_context(prepare(address)))
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute("checkpoint")
            found = _latencies(contestants)
        cells = "".join(f"   p50 {p50:5.2f} p99 {p99:5.2f}" for p50, p99 in found)
        print(f"{name:<38}{cells}   {found[1][1] / found[0][1]:.2f}x", flush=True)


@contextmanager
def another_database(url: str) -> Iterator[str]:
    from shared.testing.postgres import fresh_database

    with fresh_database(url) as address:
        create_tables(address)
        yield address


@contextmanager
def _our_claim(url: str) -> Iterator[Callable[[], int]]:
    database = Database(url, application_name="bench")
    queue = Queue(database)
    yield lambda: len(queue.claim([KIND, "bench.rare"], 1, uuid4(), "bench").jobs)
    database.close()


@contextmanager
def _their_claim(url: str) -> Iterator[Callable[[], int]]:
    with psycopg.connect(url, autocommit=True) as conn:
        [worker] = conn.execute("insert into procrastinate_workers default values returning id").fetchone() or ()
        fetch = b"select id from procrastinate_fetch_job_v2(null, %s)"
        yield lambda: len(conn.execute(fetch, [worker]).fetchall())


def _latencies(claims: list[Callable[[], int]], times: int = 200) -> list[tuple[float, float]]:
    """p50 and p99 of each in ms; they take turns, so that whatever else the machine does meets both."""
    seconds: list[list[float]] = [[] for _ in claims]
    for turn in range(times + 10):
        for claim, spent in zip(claims, seconds, strict=True):
            began = time.perf_counter()
            if claim() != 1:
                raise SystemExit("a claim found nothing: the measurement is void")
            if turn >= 10:
                spent.append(time.perf_counter() - began)
    cuts = [statistics.quantiles(spent, n=100) for spent in seconds]
    return [(cut[49] * 1000, cut[98] * 1000) for cut in cuts]


# --- all of it


@contextmanager
def postgres() -> Iterator[str]:
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    from shared.storage.embedded import EmbeddedPostgres

    with tempfile.TemporaryDirectory(prefix="barsmith-bench-") as folder, EmbeddedPostgres(Path(folder)) as url:
        yield url


def create_tables(url: str) -> None:
    import procrastinate

    database = Database(url, application_name="bench")
    Queue(database).migrate()
    database.close()
    app, _ = procrastinate_app(url)
    with app.replace_connector(procrastinate.SyncPsycopgConnector(conninfo=url)) as sync, sync.open():
        sync.schema_manager.apply_schema()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=3000, help="a drain; a quarter of it for those one by one")
    options = parser.parse_args()
    began = time.monotonic()
    with postgres() as url:
        create_tables(url)
        print(f"{os.cpu_count()} cores, procrastinate {importlib.metadata.version('procrastinate')}", flush=True)
        claims(url)
        drains(url, options.rounds, options.jobs)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
