"""The parent's end of the computing process: start it, hand it a job, listen to it, kill it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from shared.jobs.pipe import Advanced, Ended, Setup, Task
from shared.settings import ServiceSettings

#: How long a child that was told to leave may take to close what it opened.
LEAVE_S = 2.0
#: OMP is also what xgboost and scikit-learn go by.
THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


class Computer:
    """One child process, started when it is first needed and again after each kill.

    Use it from the main thread: the kernel kills the child when the thread that started it ends.
    """

    def __init__(self, settings: ServiceSettings, loaders: Mapping[str, str]) -> None:
        self._settings = settings
        self._setup = Setup(settings, loaders)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def start(self, task: Task) -> None:
        """Hand the child a task; it must not be computing another."""
        for _ in range(2):
            pipe = self._started()
            try:
                pipe.send(task)
            except OSError:  # it died while it had nothing to do
                self.kill()
            else:
                return

    def listen(self, seconds: float) -> Advanced | Ended | None:
        """Return what the child says next, or None when it says nothing for so long. Raises EOFError if it died."""
        if self._pipe is None:
            raise EOFError
        try:
            return self._pipe.recv() if self._pipe.poll(seconds) else None
        except OSError as error:
            raise EOFError from error

    def kill(self) -> int | None:
        """End the child at once, whatever it does, and return its exit code (negative: the signal)."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is None:
            return None
        # one that ended by itself keeps its own exit code
        self._process.kill()
        code = self._process.wait()
        self._process = None
        return code

    def leave(self) -> None:
        """Let an idle child close what it opened, then end it."""
        if self._pipe is not None and self._process is not None:
            try:
                self._pipe.send(None)
                self._process.wait(LEAVE_S)
            except (OSError, subprocess.TimeoutExpired):
                pass  # killed below
        self.kill()

    def _started(self) -> Connection:
        if self._pipe is None:
            ours, theirs = Pipe()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "shared.jobs.child", str(theirs.fileno()), str(os.getpid())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=child_environment(self._settings.threads),
                    start_new_session=True,  # Ctrl-C is for the parent, which decides
                )
            ours.send(self._setup)
            self._pipe = ours
        return self._pipe


def child_environment(threads: int) -> dict[str, str]:
    """Return this process's environment with the thread counts that numeric libraries read when they are imported.

    The one place that sets them: workers share a machine, so each computes with `threads` threads and no more.
    """
    counts = dict.fromkeys(THREAD_COUNTS, str(threads))
    # what the parent can import, the child can
    return {**os.environ, **counts, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
