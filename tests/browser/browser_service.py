"""A service in a process of its own, as a browser meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.settings import SERVICE_PORTS
from shared.testing.ports import free_port
from shared.testing.waiting import eventually

ROOT = Path(__file__).parents[2]


@dataclass
class Served:
    """A service in a process of its own."""

    url: str
    database_url: str
    process: subprocess.Popen[bytes]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


@contextmanager
def service_process(module: str, name: str, database_url: str, home: Path, **env: str) -> Iterator[Served]:
    """Run `python -m module` as the service `name` on a free port until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
        "DATABASE_URL": database_url,
        "BARSMITH_HOME": str(home),
        # nothing listens on port 1: siblings are down unless a test names them
        **{f"BARSMITH_{sibling.upper()}_URL": "http://127.0.0.1:1" for sibling in SERVICE_PORTS},
        f"BARSMITH_{name.upper()}_URL": url,
        **env,
    }
    process = subprocess.Popen([sys.executable, "-m", module], env=environment, cwd=ROOT)
    try:
        eventually(lambda: httpx.get(f"{url}/healthz").is_success, timeout=30, what=f"{module} on port {port}")
        yield Served(url, database_url, process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(timeout=15)
