"""The home folder: who holds it, its secrets, and the note that says what runs on it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.errors import Conflict, InvalidInput

DEFAULT_HOME = ".barsmith"
_LOCK, _TOKEN, _STACK = "supervisor.lock", "worker-token", "stack.json"


def make(home: Path) -> None:
    """Make the folder if it is not there. Raises InvalidInput when that cannot be or nothing can be written in it."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / _LOCK).touch()
    except OSError as error:
        raise InvalidInput(
            f"the data folder {home} cannot be used ({error.strerror}): make it writable, or name another --home"
        ) from error


def is_ours(home: Path) -> bool:
    """Tell whether the folder was made as a data folder, however early what made it was stopped."""
    return (home / _LOCK).exists()


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold the folder against a second supervisor; the kernel lets go when this process dies, however it dies.

    Raises Conflict naming the holder's process id, InvalidInput when the folder cannot be used.
    """
    make(home)
    with (home / _LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise Conflict(
                f"another barsmith (process {holder}) already runs on {home}: stop it, or name another --home"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        # what a killed supervisor left: it describes a stack that is gone
        (home / _STACK).unlink(missing_ok=True)
        try:
            yield
        finally:
            (home / _STACK).unlink(missing_ok=True)
            lock.truncate(0)


def is_held(home: Path) -> bool:
    """Tell whether a supervisor holds the folder now."""
    try:
        with (home / _LOCK).open("r+", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def worker_token(home: Path) -> str:
    """Return the folder's worker token, drawn once and readable by its owner only."""
    path = home / _TOKEN
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        token = secrets.token_urlsafe(32)
        _write_private(path, token)
        return token


def describe_stack(home: Path, **facts: Any) -> None:
    """Leave a note of what runs here (addresses, process ids), for other commands on the same folder."""
    _write_private(home / _STACK, json.dumps(facts, indent=1))


def running_stack(home: Path) -> dict[str, Any] | None:
    """Return the note of the stack that runs on the folder, None when none does."""
    if not is_held(home):
        return None
    try:
        return json.loads((home / _STACK).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None  # it is still starting


def _write_private(path: Path, text: str) -> None:
    # written aside and renamed, so a reader never sees half of it; 0600 from the first byte
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    aside.replace(path)
