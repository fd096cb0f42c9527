"""A whole house on free ports: `barsmith up` as its users start it."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
from house_ports import house_offset

from barsmith import folder
from barsmith.demo.background import background
from shared.testing.waiting import eventually


class House:
    """A running stack: its folder, its addresses, and the command line against it."""

    def __init__(self, home: Path, pid: int) -> None:
        self.home = home
        self.pid = pid
        self.note = folder.running_stack(home)
        self.urls = self.note["urls"]

    def barsmith(self, *arguments, code=0):
        run = subprocess.run(
            [sys.executable, "-m", "barsmith", *arguments],
            env={**os.environ, "BARSMITH_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == code, f"{arguments}: {run.stdout}\n{run.stderr}"
        return run

    def told(self, *arguments):
        """What the command says as JSON."""
        return json.loads(self.barsmith(*arguments, "--json").stdout)

    def get(self, service, path, **params):
        answer = httpx.get(f"{self.urls[service]}{path}", params=params, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def processes(self):
        return processes_of(self.home)


def processes_of(home):
    """Every process that was started for this data folder, by its environment or command line."""
    mark = str(home).encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command, environment = ((entry / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if command and (mark in command or b"BARSMITH_HOME=" + mark in environment):
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")[:100]
    return found


@contextmanager
def running_house(home, workers=2):
    with background(home, workers=workers, port_offset=house_offset()) as pid:
        yield House(home, pid)
    eventually(lambda: not processes_of(home), what=f"nothing of {home} runs any more")
