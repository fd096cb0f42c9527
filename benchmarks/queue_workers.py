"""The worker processes that `benchmarks/queue.py` measures: `python -m benchmarks.queue_workers <role> <url>`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

from shared.jobs.context import Handler, JobContext
from shared.jobs.model import Outcome
from shared.jobs.postgres_transport import PostgresTransport
from shared.jobs.queue import Queue
from shared.jobs.worker import run_worker
from shared.settings import ServiceSettings
from shared.storage.postgres import Database

KIND = "bench.nothing"
NOTHING = Outcome(result={})
#: Its in-process jobs are asynchronous: this many at once lets it do its best, as batches do for us.
PROCRASTINATE_CONCURRENCY = 10


def claim_loop(url: str, batch: int) -> None:
    """Claim and complete in one process: the queue itself, without a computing child."""
    queue = Queue(Database(url, application_name="bench"))
    transport = PostgresTransport(queue)
    while True:
        token = uuid4()
        claim = transport.claim([KIND], batch, token, f"loop-{os.getpid()}")
        if claim.jobs:
            transport.complete(token, {job.id: NOTHING for job in claim.jobs})
        else:
            transport.wait(1.0)


@contextmanager
def handlers(settings: ServiceSettings) -> Iterator[Mapping[str, Handler]]:
    def nothing(ctx: JobContext) -> Outcome:
        del ctx
        return NOTHING

    del settings
    yield {KIND: nothing}


def whole_worker(url: str) -> None:
    """The worker that services run: heartbeating parent, computing child."""
    os.environ["DATABASE_URL"] = url
    settings = ServiceSettings(log_level="ERROR")
    run_worker(settings, {KIND: "benchmarks.queue_workers:handlers"}, worker_id=f"w-{os.getpid()}", batch=10)


def procrastinate_app(url: str):  # noqa: ANN201 - imported here only
    import procrastinate

    # it warns that a worker could not find an app made in the main module; ours are handed theirs
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    @app.task(name="nothing")
    async def nothing() -> None: ...

    return app, nothing


def procrastinate_worker(url: str) -> None:
    app, _ = procrastinate_app(url)

    async def run() -> None:
        async with app.open_async():
            await app.run_worker_async(concurrency=PROCRASTINATE_CONCURRENCY, name=f"p-{os.getpid()}")

    asyncio.run(run())


ROLES: dict[str, Callable[[str], None]] = {
    "one by one": lambda url: claim_loop(url, 1),
    "batches of 10": lambda url: claim_loop(url, 10),
    "whole worker": whole_worker,
    "procrastinate": procrastinate_worker,
}


if __name__ == "__main__":
    ROLES[sys.argv[1]](sys.argv[2])
