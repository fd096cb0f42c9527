"""Handlers, worker processes and an effect table for the tests of the queue. `python jobs_support.py` is a worker."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx

from shared.errors import InvalidInput
from shared.jobs.context import Handler, JobContext
from shared.jobs.http_transport import HttpTransport
from shared.jobs.model import Outcome, Submission, Timing
from shared.jobs.queue import Queue
from shared.jobs.worker import run_worker
from shared.settings import ServiceSettings
from shared.storage.postgres import Database
from shared.testing.ports import free_port
from shared.testing.waiting import eventually

#: What workers without database access prove themselves with.
TOKEN = "worker-secret"

#: As short as the failure tests of the design ask.
QUICK = Timing(
    lease=timedelta(seconds=1),
    backoff=timedelta(milliseconds=20),
    rescue_every=timedelta(milliseconds=300),
    poll_every=timedelta(seconds=1),
    drain=timedelta(milliseconds=200),
)

EFFECTS = """
create schema testjobs;
create table testjobs.effect (job_id bigint not null, n int not null);
create table testjobs.started (job_id bigint not null, at timestamptz not null default clock_timestamp());
create function testjobs.on_add(job_id bigint, payload jsonb, result jsonb) returns void language sql as $$
    insert into testjobs.effect values (job_id, (result ->> 'n')::int)
$$;
create function testjobs.on_reject(job_id bigint, payload jsonb, result jsonb) returns void language plpgsql as $$
begin
    insert into testjobs.effect values (job_id, 1);
    raise exception 'the registry says no';
end $$;
"""


def make_queue(database: Database, timing: Timing = QUICK) -> Queue:
    """A queue with its tables and the test's effect functions."""
    queue = Queue(database, timing)
    queue.migrate()
    with database.transaction() as conn:
        conn.execute(EFFECTS)
    return queue


def effects(database: Database) -> dict[int, int]:
    """How often each job's effect was applied."""
    with database.transaction() as conn:
        rows = conn.execute("select job_id, count(*) as times from testjobs.effect group by job_id").fetchall()
    return {row["job_id"]: row["times"] for row in rows}


def job(verb: str, priority: float = 0.0, **payload: object) -> Submission:
    return Submission(kind=f"testjobs.{verb}", payload=payload, priority=priority, max_attempts=3)


# --- handlers


def add(ctx: JobContext) -> Outcome:
    time.sleep(ctx.payload.get("seconds", 0))
    ctx.advanced(1.0, "added")
    return Outcome(result={"n": ctx.payload.get("n", 0), "attempt": ctx.attempt})


def sleep(ctx: JobContext) -> Outcome:
    until = time.monotonic() + ctx.payload["seconds"]
    while (left := until - time.monotonic()) > 0:
        ctx.advanced(1 - left / ctx.payload["seconds"], "sleeping")
        time.sleep(0.02)
    return Outcome(result={"pid": os.getpid(), "attempt": ctx.attempt})


def hold_interpreter(ctx: JobContext) -> Outcome:
    # PyDLL keeps the interpreter lock, as a careless extension does
    ctypes.PyDLL(None).usleep(int(ctx.payload["seconds"] * 1e6))
    return Outcome(result={"attempt": ctx.attempt})


def kill_self(ctx: JobContext) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(ctx)


def kill_worker(ctx: JobContext) -> Outcome:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
    raise AssertionError(ctx)


def break_down(ctx: JobContext) -> Outcome:
    url = os.environ["DATABASE_URL"]
    raise RuntimeError(f"no luck with {url} and {os.environ['BARSMITH_WORKER_TOKEN']}, n={ctx.payload.get('n')}")


def refuse(ctx: JobContext) -> Outcome:
    raise InvalidInput(f"n={ctx.payload.get('n')} is not a number we like")


def threads(ctx: JobContext) -> Outcome:
    del ctx
    import polars

    return Outcome(result={"polars": polars.thread_pool_size(), "omp": os.environ["OMP_NUM_THREADS"]})


def not_a_number(ctx: JobContext) -> Outcome:
    del ctx
    return Outcome(result={"sharpe": float("nan")})


def reject(ctx: JobContext) -> Outcome:
    del ctx
    return Outcome(result={"n": 1})


def babble(ctx: JobContext) -> Outcome:
    """Longer than a lease, with progress that neither JSON nor Postgres can hold, and an error like that."""
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        ctx.advanced(float("nan"), "half a \ud83d, a NUL \x00 and " + "more " * 100)
        time.sleep(0.05)
    raise RuntimeError("half a \ud83d and a NUL \x00")


HANDLERS: dict[str, Handler] = {
    f"testjobs.{handler.__name__}": handler
    for handler in (
        add,
        sleep,
        hold_interpreter,
        kill_self,
        kill_worker,
        break_down,
        refuse,
        threads,
        not_a_number,
        reject,
        babble,
    )
}


@contextmanager
def handlers(settings: ServiceSettings) -> Iterator[Mapping[str, Handler]]:
    del settings
    yield HANDLERS


# --- worker processes


class TestProcess:
    """A Python file of this folder as a process of its own. Its log is in `log`."""

    __test__ = False

    def __init__(self, log: Path, env: dict[str, str], file: str, *arguments: str) -> None:
        self.log = log
        here = Path(__file__).parent
        paths = os.pathsep.join([str(here.parent), str(here)])
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, str(here / file), *arguments],
                env={**os.environ, "PYTHONPATH": paths, "BARSMITH_WORKER_TOKEN": TOKEN, **env},
                stdout=stream,
                stderr=stream,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


class WorkerProcess(TestProcess):
    """A real worker: parent and child."""

    def __init__(self, folder: Path, name: str, env: dict[str, str], options: dict[str, object]) -> None:
        self.name = name
        arguments = json.dumps({"worker_id": name, **options})
        super().__init__(folder / f"{name}.log", env, "jobs_support.py", arguments)


class JobServer(TestProcess):
    """The job transport over HTTP, at `url` once it is ready."""

    def __init__(self, folder: Path, env: dict[str, str], port: int | None = None) -> None:
        self.port = port = port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(folder / "server.log", env, "jobs_server.py", str(port))
        eventually(lambda: httpx.get(f"{self.url}/healthz").status_code == 200, 20, what="the server is up")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _main() -> None:
    options = json.loads(sys.argv[1])
    transport = None
    if url := options.get("http"):
        transport = HttpTransport(url, os.environ["BARSMITH_WORKER_TOKEN"])
    kinds = options.get("kinds") or list(HANDLERS)
    run_worker(
        ServiceSettings(name="testjobs", threads=options.get("threads", 1)),
        dict.fromkeys(kinds, "jobs_support:handlers"),
        worker_id=options["worker_id"],
        transport=transport,
        timing=QUICK,
        batch=options.get("batch", 1),
    )


if __name__ == "__main__":
    _main()
