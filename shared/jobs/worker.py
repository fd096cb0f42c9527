"""The worker: a parent that claims, heartbeats and supervises, and a child process that computes.

1. The parent claims a job under a token it drew and hands it to its child.
2. While the child computes, a thread of the parent extends the lease and brings word of cancellation.
3. The parent kills the child when the job was cancelled, when its lease is lost or was not confirmed for as long as
   it lasts, or when the job exceeds its `max_runtime`; the next job gets a fresh child.
4. The result is stored with the token; while the queue does not answer, the parent keeps asking.
5. Told to stop (SIGTERM, Ctrl-C), the worker claims no more, gives its job two seconds to finish, then gives it
   back: another worker may take it at once, and the attempt does not count.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TypeVar
from uuid import UUID, uuid4

from shared.errors import InvalidInput, Unavailable
from shared.jobs.computer import Computer
from shared.jobs.handling import Failure
from shared.jobs.heart import Heart
from shared.jobs.model import Beat, Claim, Completion, Job, LeaseLost, Outcome, Report, Timing
from shared.jobs.pipe import Advanced, Task
from shared.jobs.postgres_transport import PostgresTransport
from shared.jobs.queue import Queue
from shared.jobs.rescuer import rescuing
from shared.jobs.transport import JobTransport
from shared.logs import configure_logging
from shared.settings import ServiceSettings
from shared.storage.postgres import Database

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How soon a stop, a cancellation or a passed deadline is noticed.
TICK_S = 0.1
#: Between questions to a queue that does not answer.
RETRY_S = 0.5


def run_worker(
    settings: ServiceSettings,
    loaders: Mapping[str, str],
    *,
    worker_id: str | None = None,
    transport: JobTransport | None = None,
    timing: Timing | None = None,
    batch: int = 1,
) -> None:
    """Take and compute jobs of the loaders' kinds until told to stop. Call it in the main thread of a process.

    Parameters
    ----------
    loaders
        Kind of job -> "module:callable"; the callable takes the settings and returns a context manager that
        yields handlers by kind. The child imports it with the first job of the kind and keeps it.
    transport
        The way to the queue; directly to Postgres when not given.
    batch
        Jobs to take at once. More than one is for many jobs of milliseconds: they are completed together, and a
        crash repeats those not yet stored.
    """
    configure_logging(settings.name, settings.log_level)
    identity = worker_id or f"{settings.name}-{socket.gethostname()}-{os.getpid()}"
    stop = _Stop()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    timing = timing or Timing()
    way = nullcontext(transport) if transport is not None else _postgres(settings, identity, timing, stop)
    try:
        with way as queue:
            Worker(settings, loaders, queue, identity, timing, stop, batch).run()
    except _Stopped:
        log.warning("stopped without an answer from the queue", extra={"action": "stopped_unheard"})


@contextmanager
def _postgres(settings: ServiceSettings, identity: str, timing: Timing, stop: _Stop) -> Iterator[PostgresTransport]:
    database = Database(settings.database_url.get_secret_value(), application_name=identity, max_size=4)
    queue = Queue(database, timing)
    try:
        _ask(queue.migrate, stop)
        with rescuing(queue):
            yield PostgresTransport(queue)
    finally:
        database.close()


class _Stop:
    """Whether the worker was told to stop, and since when. A signal handler."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._event = threading.Event()

    def __call__(self, number: int, frame: object) -> None:
        del number, frame
        self._at = self._at or time.monotonic()
        self._event.set()

    @property
    def asked(self) -> bool:
        return self._event.is_set()

    def overdue(self, patience_s: float) -> bool:
        return self._at is not None and time.monotonic() > self._at + patience_s


class _Stopped(Exception):
    """The worker was told to stop while the queue did not answer."""


class _Dropped:
    """The job is no longer this worker's; there is nobody to tell."""


class _GivenBack:
    """The worker stops before the job is done."""


Ending = Outcome | Failure | _Dropped | _GivenBack


class Worker:
    """The parent process. `run` returns when it was told to stop."""

    def __init__(
        self,
        settings: ServiceSettings,
        loaders: Mapping[str, str],
        transport: JobTransport,
        identity: str,
        timing: Timing,
        stop: _Stop,
        batch: int,
    ) -> None:
        self._kinds = sorted(str(kind) for kind in loaders)
        self._transport = transport
        self._identity = identity
        self._timing = timing
        self._stop = stop
        self._batch = batch
        self._computer = Computer(settings, {str(kind): path for kind, path in loaders.items()})
        self._heart = Heart(transport)

    def run(self) -> None:
        log.info("worker ready", extra={"action": "ready", "worker": self._identity, "kinds": self._kinds})
        try:
            while not self._stop.asked:
                token = uuid4()
                claim = _ask(lambda: self._claim(token), self._stop)  # noqa: B023 - called before the next token
                if claim.jobs:
                    self._work(token, claim)
                else:
                    self._idle()
        finally:
            log.info("worker stops", extra={"action": "stopping", "worker": self._identity})
            self._computer.leave()
            self._heart.close()
            self._transport.close(self._identity)

    def _claim(self, token: UUID) -> Claim:
        asked_at = time.monotonic()
        claim = self._transport.claim(self._kinds, self._batch, token, self._identity)
        if claim.jobs:
            self._heart.hold(token, [job.id for job in claim.jobs], asked_at, claim.lease)
        return claim

    def _idle(self) -> None:
        until = time.monotonic() + self._timing.poll_every.total_seconds()
        while not self._stop.asked and (left := until - time.monotonic()) > 0:
            if self._transport.wait(min(left, RETRY_S)):
                return

    def _work(self, token: UUID, claim: Claim) -> None:
        finished: dict[int, Outcome] = {}
        for job in claim.jobs:
            ending = self._compute(token, job)
            if isinstance(ending, Outcome):
                finished[job.id] = ending
            else:
                self._settle(token, finished)
                finished = {}
                self._report_end(token, job, ending)
        self._settle(token, finished)

    def _compute(self, token: UUID, job: Job) -> Ending:
        if self._stop.asked:
            return _GivenBack()
        log.debug("job started", extra={"action": "job_started", "job": job.id, "kind": job.kind})
        deadline = time.monotonic() + job.max_runtime.total_seconds()
        self._computer.start(
            Task(
                job_id=job.id,
                kind=job.kind,
                payload=job.payload,
                priority=job.priority,
                attempt=job.attempt,
                token=token,
            )
        )
        while True:
            try:
                said = self._computer.listen(TICK_S)
            except EOFError:
                code = self._computer.kill()
                return _GivenBack() if self._stop.asked else Failure(_death(code), retry=True)
            if isinstance(said, Advanced):
                self._heart.report(job.id, Report(said.fraction, said.note))
            elif said is not None:
                return said.ending
            if (reason := self._reason_to_stop(job, deadline)) is not None:
                self._computer.kill()
                return reason

    def _reason_to_stop(self, job: Job, deadline: float) -> Ending | None:
        beat = self._heart.verdict(job.id)
        if beat is not Beat.OK:
            log.warning("job stopped", extra={"action": "job_stopped", "job": job.id, "reason": beat})
            return _Dropped()
        if time.monotonic() > deadline:
            return Failure(f"killed: still running after max_runtime {job.max_runtime}", retry=True)
        if self._stop.overdue(self._timing.drain.total_seconds()):
            return _GivenBack()
        return None

    def _settle(self, token: UUID, finished: dict[int, Outcome]) -> None:
        """Store outcomes together; one by one when one of them is refused."""
        if not finished:
            return
        try:
            answers = _ask(lambda: self._transport.complete(token, finished), self._stop)
        except InvalidInput as error:
            if len(finished) > 1:
                for job_id, outcome in finished.items():
                    self._settle(token, {job_id: outcome})
                return
            [job_id] = finished
            self._fail(token, job_id, str(error), retry=False, counted=True)
            return
        for job_id, answer in answers.items():
            self._heart.let_go(job_id)
            if answer is Completion.LOST:
                log.warning("result discarded", extra={"action": "lease_lost", "job": job_id})

    def _report_end(self, token: UUID, job: Job, ending: Failure | _Dropped | _GivenBack) -> None:
        if isinstance(ending, _Dropped):
            self._heart.let_go(job.id)
        elif isinstance(ending, _GivenBack):
            self._fail(token, job.id, "given back: its worker was told to stop", retry=True, counted=False)
        else:
            log.warning("job failed", extra={"action": "job_failed", "job": job.id, "reason": ending.error})
            self._fail(token, job.id, ending.error, retry=ending.retry, counted=True)

    def _fail(self, token: UUID, job_id: int, error: str, *, retry: bool, counted: bool) -> None:
        try:
            _ask(lambda: self._transport.fail(job_id, token, error, retry=retry, counted=counted), self._stop)
        except LeaseLost:
            log.warning("failure discarded", extra={"action": "lease_lost", "job": job_id})
        self._heart.let_go(job_id)


def _ask(question: Callable[[], T], stop: _Stop) -> T:
    """Ask until the queue answers. Raises _Stopped when the worker is told to stop and there is still no answer."""
    told = False
    while True:
        try:
            return question()
        except Unavailable as error:
            if not told:
                log.warning("queue does not answer", extra={"action": "queue_away", "reason": str(error)})
                told = True
        if stop.asked:
            raise _Stopped
        time.sleep(RETRY_S)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the computing process was killed by {signal.Signals(-code).name}"
    return f"the computing process ended by itself with code {code}"
