"""A stack in the background: `barsmith up` as a child process, with a log of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from barsmith import folder, stack
from barsmith.children import dies_with_parent
from barsmith.environment import EXCHANGE_VARIABLE, url_variable
from barsmith.house import SERVICES
from shared.errors import Conflict

_START_SECONDS = 150.0
_STOP_SECONDS = 60.0
_TAIL = 15
#: what would lead the demo away from its own database, lake, services and market
_OWN = {"DATABASE_URL", "BARSMITH_LAKE_URL", "BARSMITH_HOME", EXCHANGE_VARIABLE, *map(url_variable, SERVICES)}


def fresh_folder(home: Path) -> None:
    """Empty a folder that an earlier demo left; refuses one that holds anything else.

    Raises Conflict when a stack runs on it, it was not made by a stack, or it cannot be emptied.
    """
    if folder.is_held(home):
        raise Conflict(f"a stack still runs on {home}: stop it, or name another --home")
    try:
        if not home.exists():
            return
        if any(home.iterdir()) and not folder.is_ours(home):
            raise Conflict(f"{home} holds something else than a data folder: it is left alone; name another --home")
        shutil.rmtree(home)
    except OSError as error:
        raise Conflict(f"{home} cannot be emptied ({error}): remove it by hand, or name another --home") from error


def free_offset(first: int = 0) -> int:
    """Return the first port offset, from `first` on, at which no port is taken, so that a demo runs beside anything."""
    for offset in range(first, 50_000, 1_000):
        try:
            stack.check_ports(offset, environ={})
        except Conflict:
            continue
        return offset
    raise Conflict("no free ports were found for the demo")


@contextmanager
def background(home: Path, *, workers: int, port_offset: int) -> Iterator[int]:
    """Run `barsmith up` on `home` until the block ends; yield its process id once all services are ready.

    It is asked to stop when this process dies, too. Raises click's error with the log's end when it does not start.
    """
    folder.make(home)
    log = home / "up.log"
    command = [sys.executable, "-m", "barsmith", "up", "--home", str(home), "--workers", str(workers)]
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [*command, "--port-offset", str(port_offset)],
            env={name: value for name, value in os.environ.items() if name not in _OWN},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 - nothing runs beside it yet
        )
    try:
        _wait_ready(process, home, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: subprocess.Popen[bytes], home: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while folder.running_stack(home) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:])
            raise click.ClickException(f"the stack did not start; the end of {log}:\n{tail}")
        time.sleep(0.1)
