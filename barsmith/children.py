"""One child process of the supervisor: how it is started, and that it never outlives its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What to start.

    `name` is the prefix of its log lines; `ready_url` answers 200 and JSON with its `pid` once it can work.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    ready_url: str | None = None


def dies_with_parent(death_signal: int = signal.SIGKILL) -> Callable[[], None]:
    """Return a function for the child, between fork and exec: the kernel kills it when this process ends.

    That holds also after `kill -9` of this process. Elsewhere than on Linux it does nothing.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def arrange() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the arrangement stood

    return arrange


def start(spec: ChildSpec) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, so that Ctrl-C reaches the supervisor alone and order is kept."""
    process = subprocess.Popen(
        spec.argv,
        bufsize=0,
        env=dict(spec.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # the supervisor has one thread, so nothing can hold a lock across this fork
        preexec_fn=dies_with_parent(),  # noqa: PLW1509
    )
    if process.stdout is not None:
        os.set_blocking(process.stdout.fileno(), False)
    return process


def end(process: subprocess.Popen[bytes], wanted: int) -> None:
    """Send a signal to the child and, when it is SIGKILL, to what it left in its session."""
    try:
        if wanted == signal.SIGKILL:
            os.killpg(process.pid, wanted)
        else:
            process.send_signal(wanted)
    except ProcessLookupError:
        pass
