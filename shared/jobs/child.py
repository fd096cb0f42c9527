"""The computing process: `python -m shared.jobs.child <pipe> <parent>`, started by `shared.jobs.computer`.

It imports a kind's handlers with the first job of that kind, keeps them, and computes one job after the other. It
talks to its parent alone; heartbeats, leases and the queue are the parent's. It never outlives the parent: the
kernel kills it (Linux), or the end of the pipe does.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from multiprocessing.connection import Connection

from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from shared.jobs.context import Handler, JobContext
from shared.jobs.handling import Failure, failure_of, handle
from shared.jobs.model import Outcome
from shared.jobs.pipe import Advanced, Ended, Setup, Task
from shared.logs import configure_logging
from shared.settings import ServiceSettings

_PR_SET_PDEATHSIG = 1
#: A loop may report each of a million steps; the parent needs ten a second.
PROGRESS_EVERY_S = 0.1
#: Striking out shorter ones would mangle every text.
SHORTEST_SECRET = 4


def main() -> None:
    pipe = Connection(int(sys.argv[1]))
    _die_with_parent(int(sys.argv[2]))
    for number in (signal.SIGTERM, signal.SIGINT):
        # stopping is the parent's decision; a handler, because what is ignored stays so in subprocesses
        signal.signal(number, lambda *_: None)
    setup: Setup = pipe.recv()
    configure_logging(setup.settings.name, setup.settings.log_level)
    inbox: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(pipe, inbox), name="pipe", daemon=True).start()
    with Bench(setup, pipe) as bench:
        while (task := inbox.get()) is not None:
            bench.compute(task)


class Bench:
    """Handlers by kind, opened on first use and closed at the end."""

    def __init__(self, setup: Setup, pipe: Connection) -> None:
        self._setup = setup
        self._pipe = pipe
        self._sending = threading.Lock()  # a handler may report from threads of its own
        self._open = ExitStack()
        self._handlers: dict[str, Mapping[str, Handler]] = {}
        self._secrets = _secrets(setup.settings)
        self._reported = 0.0

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def compute(self, task: Task) -> None:
        """Run the task's handler and tell the parent how it ended."""
        context = JobContext(
            job_id=task.job_id,
            kind=task.kind,
            payload=task.payload,
            priority=task.priority,
            attempt=task.attempt,
            token=task.token,
            report=lambda fraction, note: self._report(Advanced(task.job_id, fraction, note)),
        )
        try:
            handler = self._handler(task.kind)
        except Exception as error:  # noqa: BLE001 - a service that cannot start now may be able to later
            ending: Outcome | Failure = failure_of(error, self._secrets)
        else:
            ending = handle(handler, context, self._secrets)
        self._send(Ended(task.job_id, ending))

    def _handler(self, kind: str) -> Handler:
        path = self._setup.loaders[kind]
        if path not in self._handlers:
            module, name = path.split(":")
            load: Callable[[ServiceSettings], AbstractContextManager[Mapping[str, Handler]]]
            load = getattr(importlib.import_module(module), name)
            self._handlers[path] = self._open.enter_context(load(self._setup.settings))
        handlers = self._handlers[path]
        if kind not in handlers:
            raise LookupError(f"{path} has no handler of {kind}; it has {', '.join(sorted(handlers))}")
        return handlers[kind]

    def _report(self, step: Advanced) -> None:
        now = time.monotonic()
        if now - self._reported >= PROGRESS_EVERY_S:
            self._reported = now
            self._send(step)

    def _send(self, message: Advanced | Ended) -> None:
        with self._sending:
            self._pipe.send(message)


def _read(pipe: Connection, inbox: queue.SimpleQueue[Task | None]) -> None:
    """Pass on what the parent sends; when the parent is gone, so is the reason to compute."""
    try:
        while True:
            inbox.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(1)


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was told
        os._exit(1)


def _secrets(settings: ServiceSettings) -> list[str]:
    """Return the texts that no stored error may contain."""
    fields = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    password = str(conninfo_to_dict(settings.database_url.get_secret_value()).get("password") or "")
    return [text for text in (*fields, password) if len(text) >= SHORTEST_SECRET]


if __name__ == "__main__":
    main()
