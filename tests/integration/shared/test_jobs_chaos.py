"""What must hold when workers, servers and Postgres die at the wrong moment. The lease is one second here."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from jobs_support import JobServer, WorkerProcess, alive, effects, job, make_queue

from shared.errors import Unavailable
from shared.jobs.model import Group, JobState, Outcome
from shared.storage.embedded import EmbeddedPostgres
from shared.storage.postgres import Database
from shared.testing.waiting import eventually

#: The pool gives up after five seconds.
OUTAGE_S = 7.0


class Party:
    """A Postgres of its own, so that it may be killed, and the workers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = EmbeddedPostgres(folder / "postgres")
        self.url = self.server.__enter__()
        self.database = Database(self.url, application_name="test")
        self.queue = make_queue(self.database)
        self.workers: list[WorkerProcess] = []
        self.servers: list[JobServer] = []

    def start(self, **options: object) -> WorkerProcess:
        worker = WorkerProcess(self.folder, f"w{len(self.workers)}", self.env, options)
        self.workers.append(worker)
        return worker

    def serve(self, port: int | None = None) -> JobServer:
        server = JobServer(self.folder, self.env, port)
        self.servers.append(server)
        return server

    @property
    def env(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url, "BARSMITH_HOME": str(self.folder)}

    def kill_postgres(self) -> None:
        pid = int((self.folder / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        self.server.__exit__(None, None, None)

    def start_postgres(self) -> None:
        self.server = EmbeddedPostgres(self.folder / "postgres")
        assert self.server.__enter__() == self.url

    def all_ended(self, timeout: float) -> None:
        def ended() -> bool:
            self.queue.rescue()
            return all(count.state.ended for count in self.queue.counts())

        eventually(ended, timeout, what="every job has ended")

    def end(self) -> None:
        for process in (*self.workers, *self.servers):
            process.end()
        self.database.close()
        self.server.__exit__(None, None, None)


@pytest.fixture
def party(tmp_path: Path) -> Iterator[Party]:
    party = Party(tmp_path)
    yield party
    party.end()


def test_300_jobs_survive_killed_workers_and_a_restart_of_postgres(party: Party):
    """4 workers, kill -9 at random, Postgres killed once: every job ends, each effect is applied exactly once."""
    rng = random.Random(7)
    for _ in range(10):
        members = [job("add", priority=rng.random(), n=n, seconds=0.03) for n in range(30)]
        party.queue.submit_group(Group(jobs=members, continuation=job("add", n=-1)))
    # a job may meet more kills than it has attempts; here that is not the point
    with party.database.transaction() as conn:
        conn.execute("update jobs.job set max_attempts = 100")
    for number in range(4):
        party.start(batch=1 + 4 * (number % 2))

    def completed() -> int:
        return sum(count.jobs for count in party.queue.counts() if count.state is JobState.COMPLETED)

    killed = 0
    while killed < 8:
        goal = 25 * (killed + 1)
        eventually(lambda goal=goal: completed() >= goal, 30, what=f"{goal} jobs are done")
        victim = rng.choice([worker for worker in party.workers if worker.process.poll() is None])
        victim.signal(signal.SIGKILL)
        party.start(batch=1 + 4 * (killed % 2))
        killed += 1
        if killed == 4:
            party.kill_postgres()
            party.start_postgres()
    party.all_ended(45)

    states = {count.state: count.jobs for count in party.queue.counts()}
    assert states == {JobState.COMPLETED: 310}, "300 members and 10 continuations"
    applied = effects(party.database)
    assert set(applied.values()) == {1}
    assert len(applied) == 310


def test_workers_outlive_a_long_outage_of_postgres(party: Party):
    """Longer than the lease and than the pool's patience: they resume unaided, and nothing doubles."""
    ids = party.queue.submit([job("add", n=n, seconds=0.2) for n in range(20)])
    workers = [party.start(), party.start()]
    eventually(lambda: party.queue.job(ids[0]).state.ended, what="work is under way")
    party.kill_postgres()
    with pytest.raises(Unavailable):
        party.queue.rescue()
    threading.Event().wait(OUTAGE_S)  # not a wait for something: the outage itself
    party.start_postgres()
    party.all_ended(30)
    assert effects(party.database) == dict.fromkeys(ids, 1)
    assert [worker.process.poll() for worker in workers] == [None, None]
    assert all(not worker.lost for worker in party.queue.workers())


def test_a_worker_cut_off_from_its_server_kills_its_child_at_its_own_deadline(party: Party):
    """Partition: the server is stopped, not dead, so requests hang. Another worker does the job; healing is quiet."""
    server = party.serve()
    cut_off = party.start(http=server.url, kinds=["testjobs.sleep", "testjobs.add"])
    [job_id, other] = party.queue.submit([job("sleep", priority=1, seconds=20), job("add", n=1)])
    eventually(lambda: party.queue.job(job_id).progress > 0, 20, what="it computes")
    [child] = cut_off.children()
    server.signal(signal.SIGSTOP)
    eventually(lambda: not alive(child), 5, what="the worker has killed its child by its own clock")
    eventually(lambda: party.queue.rescue() == 1, what="the lease has run out")
    token = uuid4()
    [found] = eventually(lambda: party.queue.claim(["testjobs.sleep"], 1, token, "second").jobs, what="claimed again")
    party.queue.complete(found.id, token, Outcome(result={"attempt": 2}))
    server.signal(signal.SIGCONT)
    eventually(lambda: party.queue.job(other).state.ended, 20, what="the healed worker goes on")
    assert party.queue.job(job_id).result == {"attempt": 2}


def test_a_server_killed_between_commit_and_answer_does_not_double_the_effect(party: Party):
    """The worker asks again with the same token and hears that it is done."""
    server = party.serve()
    ids = party.queue.submit([job("add", n=n) for n in range(60)])
    worker = party.start(http=server.url)
    eventually(lambda: party.queue.job(ids[5]).state.ended, 20, what="work is under way")
    server.end()
    party.serve(port=server.port)
    party.all_ended(30)
    assert effects(party.database) == dict.fromkeys(ids, 1)
    assert worker.process.poll() is None
