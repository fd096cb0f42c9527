"""What /proc knows: who listens on a port, and what a tree of processes holds in memory. Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_LISTEN = "0A"
_PROC = Path("/proc")


def parents() -> dict[int, int]:
    """Return parent process id by process id, of all that run now."""
    found: dict[int, int] = {}
    for pid in _pids():
        try:
            stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended meanwhile
        # the command name may hold spaces and brackets: fields count from the last bracket
        found[pid] = int(stat.rpartition(")")[2].split()[1])
    return found


def family(root: int) -> list[int]:
    """Return `root` and everything below it."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    members, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        members.append(pid)
        waiting.extend(children.get(pid, []))
    return members


def memory_bytes(pids: list[int]) -> int:
    """Return the proportional set size of these processes in bytes: pages shared by n of them count 1/n each.

    Falls back to the resident size, which counts shared pages again and again, where the kernel shows no more.
    """
    return sum(_memory_of(pid) for pid in pids)


def _memory_of(pid: int) -> int:
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = (_PROC / str(pid) / name).read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    return 0


def listener(port: int) -> str | None:
    """Return "process 123 (python -m x)" for who listens on the TCP port, "another user's process", or None."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    for pid in _pids():
        if inodes & set(_socket_inodes(pid)):
            command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            return f"process {pid} ({command.strip()[:80]})"
    return "a process of another user"


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir(_PROC) if name.isdigit())  # noqa: PTH208 - names, not paths


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text(encoding="utf-8").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _socket_inodes(pid: int) -> Iterator[str]:
    try:
        descriptors = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
