"""A wrong wall clock of a worker, of the API or of the database: only the last is read, and its steps lose nothing."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from jobs_support import QUICK, JobServer, WorkerProcess, effects, job, make_queue
from test_jobs_chaos import Party

from shared.jobs.model import JobState
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.waiting import eventually

#: What a busy machine may add to a wait; far less than what a wrong clock would add.
MARGIN = timedelta(seconds=20)
HOUR = 3600


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that Postgres's user may read too, with the preloaded clock in it."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("a wrong clock is preloaded on Linux and built with a C compiler")
    with tempfile.TemporaryDirectory(prefix="barsmith-clock-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        source = Path(__file__).parents[2] / "wrong_clock.c"
        command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(folder / "clock.so"), str(source)]
        subprocess.run([*command, "-ldl"], check=True)
        yield folder


def wrong_by(folder: Path, seconds: int, name: str = "offset") -> dict[str, str]:
    """Environment of a process whose clock is wrong; call it again to set the clock of a running one."""
    file = folder / f"{name}.new"
    file.write_text(str(seconds))
    file.chmod(0o644)
    file.replace(folder / name)
    return {"LD_PRELOAD": str(folder / "clock.so"), "WRONG_CLOCK": str(folder / name)}


def seconds_off(env: dict[str, str]) -> int:
    now = [int(subprocess.check_output(["date", "+%s"], env={**os.environ, **one})) for one in (env, {})]
    return now[0] - now[1]


def check_life(queue: Queue, database: Database, start: "Starter") -> None:
    """Jobs run once, leases and pauses are the usual ones, and what died is taken up after one lease."""
    long, failing, *short = queue.submit(
        [job("sleep", 2, seconds=2.5), job("break_down", 1), *(job("add", n=n) for n in range(20))]
    )
    worker = start("first")
    leases: list[timedelta] = []

    def ended(*ids: int) -> bool:
        with database.transaction() as conn:
            left = "select lease_expires_at - clock_timestamp() as remaining from jobs.job where state = 'RUNNING'"
            leases.extend(row["remaining"] for row in conn.execute(left).fetchall())
        return all(queue.job(job_id).state.ended for job_id in ids)

    eventually(lambda: ended(long, failing, *short), 60, what="all are done, and the attempts of one are used up")
    assert leases
    assert -MARGIN < min(leases) <= max(leases) <= QUICK.lease
    assert queue.job(long).result == {"pid": queue.job(long).result["pid"], "attempt": 1}, "never taken for dead"
    assert effects(database) == dict.fromkeys(short, 1)
    tries = queue.attempts(failing)
    assert [one.outcome for one in tries] == ["FAILED"] * 3
    for number, (before, after) in enumerate(pairwise(tries)):
        assert QUICK.backoff * 2**number <= after.started_at - before.ended_at < MARGIN

    [orphan] = queue.submit([job("sleep", seconds=0.5)])
    eventually(lambda: queue.job(orphan).state is JobState.RUNNING, 30, what="it computes")
    worker.signal(signal.SIGKILL)
    start("second")
    eventually(lambda: queue.job(orphan).state.ended, 30, what="the orphan is done")
    assert (queue.job(orphan).state, queue.job(orphan).result["attempt"]) == (JobState.COMPLETED, 2)
    first = queue.attempts(orphan)[0]
    assert first.outcome == "LEASE_EXPIRED"
    assert QUICK.lease <= first.ended_at - first.started_at < MARGIN


class Starter:
    """Starts workers with the same environment and ends them."""

    def __init__(self, folder: Path, env: dict[str, str], **options: object) -> None:
        self.folder, self.env, self.options = folder, env, options
        self.workers: list[WorkerProcess] = []

    def __call__(self, name: str) -> WorkerProcess:
        self.workers.append(WorkerProcess(self.folder, name, self.env, self.options))
        return self.workers[-1]

    def end(self) -> None:
        for worker in self.workers:
            worker.end()


@pytest.mark.parametrize("skew", [HOUR, pytest.param(-HOUR, marks=pytest.mark.slow)])
def test_a_worker_whose_clock_is_an_hour_off_works_by_the_databases_clock(
    folder: Path, database: Database, database_url: str, tmp_path: Path, skew: int
):
    wrong = wrong_by(folder, skew)
    assert abs(seconds_off(wrong) - skew) < 60
    start = Starter(tmp_path, {"DATABASE_URL": database_url, "BARSMITH_HOME": str(tmp_path), **wrong})
    try:
        check_life(make_queue(database), database, start)
    finally:
        start.end()


@pytest.mark.slow
@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_a_server_of_jobs_whose_clock_is_an_hour_off_hands_out_usual_leases(
    folder: Path, database: Database, database_url: str, tmp_path: Path, skew: int
):
    queue = make_queue(database)
    env = {"DATABASE_URL": database_url, "BARSMITH_HOME": str(tmp_path)}
    server = JobServer(tmp_path, {**env, **wrong_by(folder, skew)})
    start = Starter(tmp_path, env, http=server.url)
    try:
        check_life(queue, database, start)
    finally:
        start.end()
        server.end()


@pytest.mark.slow
def test_a_database_clock_that_steps_back_a_minute_loses_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Leases and pauses given before the step last a minute longer; everything ends, each effect is applied once."""
    for name, value in wrong_by(folder, 0, "database").items():
        monkeypatch.setenv(name, value)
    party = Party(tmp_path)
    monkeypatch.delenv("LD_PRELOAD")
    try:
        ids = party.queue.submit([job("add", n=n, seconds=0.02) for n in range(200)])
        for _ in range(2):
            party.start()

        def completed() -> int:
            return sum(count.jobs for count in party.queue.counts() if count.state is JobState.COMPLETED)

        eventually(lambda: completed() >= 40, 30, what="work is under way")
        with party.database.transaction() as conn:
            before = conn.execute("select clock_timestamp() as now").fetchone()["now"]
        wrong_by(folder, -60, "database")
        with party.database.transaction() as conn:
            after = conn.execute("select clock_timestamp() as now").fetchone()["now"]
        assert timedelta(seconds=-60) <= after - before < timedelta(seconds=-30), "its clock stepped back indeed"
        victim = party.workers[0]
        eventually(lambda: completed() >= 80, 30, what="work goes on after the step")
        victim.signal(signal.SIGKILL)
        party.start()
        party.all_ended(60)
        assert {count.state: count.jobs for count in party.queue.counts()} == {JobState.COMPLETED: len(ids)}
        assert effects(party.database) == dict.fromkeys(ids, 1)
    finally:
        party.end()
