from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import lake_torture
import pytest

import shared
from shared.clock import SystemClock
from shared.contracts.datasets import BARS_1M
from shared.storage.lake import Lake, migrate_lake
from shared.storage.postgres import Database
from shared.testing.waiting import eventually


class Lines:
    """A process of `lake_torture.py` and the lines it has said so far."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, lake_torture.__file__, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(shared.__file__).parents[1])},
        )
        self.said: list[str] = []
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.said.append(line.strip())

    def has_said(self, lines: int) -> bool:
        return len(self.said) >= lines or self.process.poll() is not None

    def kill(self) -> str:
        """Kill it in the middle of whatever it does; return what it said on stderr."""
        alive = self.process.poll() is None
        self.process.kill()
        self._listening.join()
        assert self.process.stderr is not None
        errors = self.process.stderr.read()
        self.process.stderr.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait()
        return errors if alive else f"it had ended by itself: {errors}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", [6, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_writers_and_busy_readers_never_see_or_leave_a_half_commit(
    database_url: str, database: Database, data_dir: Path, kills: int
) -> None:
    migrate_lake(database)
    root = str(data_dir / "lake")
    lake = Lake(database, root, SystemClock())
    chance = random.Random(1)
    readers = [Lines("read", database_url, root) for _ in range(2)]
    writers = {i: Lines("write", database_url, root, str(i)) for i in (0, 1)}
    said: dict[int, list[int]] = {0: [], 1: []}
    errors: list[str] = []
    try:
        for kill in range(kills):
            victim = kill % 2
            process = writers[victim]
            # killed at any moment of a commit: after some of its commits, and a random part of one more
            wanted = chance.randint(1, 6)
            eventually(lambda p=process, n=wanted: p.has_said(n), timeout=60, what="a writer commits")
            began = time.monotonic()
            pause = chance.uniform(0, 0.1)
            eventually(lambda b=began, p=pause: time.monotonic() - b >= p)
            errors.append(process.kill())
            said[victim] += map(int, process.said)
            writers[victim] = Lines("write", database_url, root, str(victim))
        eventually(lambda: all(reader.has_said(20) for reader in readers), timeout=60, what="readers read")
    finally:
        for i, process in writers.items():
            errors.append(process.kill())
            said[i] += map(int, process.said)
        errors += [reader.kill() for reader in readers]

    assert "".join(errors) == ""
    reads = [line for reader in readers for line in reader.said]
    assert [line for line in reads if line] == []

    rows = lake.read(lake.snapshot(BARS_1M))
    assert lake_torture.faults(rows) == []
    for i in (0, 1):
        assert len(said[i]) == len(set(said[i])) > kills // 2
        assert set(said[i]) <= set(lake_torture.diary(rows, i)), "a commit that returned was lost"
    on_disk = sum(1 for path, _, _ in lake.files.all() if not path.startswith("lake-id/"))
    report = lake.sweep(timedelta(0))
    assert report.superseded > 0
    assert on_disk - report.superseded - report.orphans == len(lake.partitions(BARS_1M)) == 6
    assert lake.read(lake.snapshot(BARS_1M)).equals(rows)
    sys.stdout.write(f"{sum(map(len, said.values()))} commits, {len(reads)} reads, {kills} kills, {report}\n")
