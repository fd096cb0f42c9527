"""A real exchange, a real worker, a real web server: in the test's process, or in their own where one is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingestion_service.app import create_app
from ingestion_service.settings import Settings
from ingestion_service.worker import handlers
from shared.contracts.kinds import JobKind
from shared.jobs.context import Handler
from shared.jobs.model import Timing
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.jobs import run_pending
from shared.testing.ports import free_port
from shared.testing.servers import serving
from shared.testing.waiting import eventually
from simulated_exchange.app import create_app as create_exchange
from simulated_exchange.settings import ExchangeSettings

ROOT = Path(__file__).parents[3]
BRIEFLY = timedelta(seconds=2)
#: The worker as in production, but taken for dead after two seconds instead of thirty.
WORKER = """
from datetime import timedelta
from ingestion_service.settings import Settings
from ingestion_service.worker import LOADERS
from shared.jobs.model import Timing
from shared.jobs.worker import run_worker
short = timedelta(seconds=2)
run_worker(Settings(), LOADERS, timing=Timing(lease=short, backoff=short / 4, rescue_every=short / 4))
"""


@dataclass
class Exchange:
    """The simulated exchange with faults given as settings."""

    url: str

    def health(self) -> dict[str, Any]:
        return httpx.get(f"{self.url}/healthz", trust_env=False).json()

    def requests(self) -> int:
        return self.health()["requests"]


class MortalExchange(Exchange):
    """`python -m simulated_exchange`: one that can be killed and started again."""

    def __init__(self, faults: dict[str, object]) -> None:
        self._port = free_port()
        super().__init__(f"http://127.0.0.1:{self._port}")
        self._env = {f"SIMULATED_EXCHANGE_{name.upper()}": str(value) for name, value in faults.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "simulated_exchange", "--port", str(self._port)]
        self._process = subprocess.Popen(command, cwd=ROOT, env=os.environ | self._env)
        eventually(lambda: httpx.get(f"{self.url}/healthz", trust_env=False).is_success, timeout=30, what="it")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def start_exchange() -> Iterator[Callable[..., Exchange]]:
    with ExitStack() as stack:

        def start(**faults: object) -> Exchange:
            app = create_exchange(ExchangeSettings.model_validate(faults))
            return Exchange(str(stack.enter_context(serving(app)).base_url))

        yield start


@pytest.fixture
def start_mortal_exchange() -> Iterator[Callable[..., MortalExchange]]:
    with ExitStack() as stack:

        def start(**faults: object) -> MortalExchange:
            exchange = MortalExchange(faults)
            stack.callback(exchange.kill)
            exchange.start()
            return exchange

        yield start


@dataclass
class House:
    """The ingestion service on a fresh database and data folder; jobs are run here until a worker is started."""

    http: httpx.Client
    env: dict[str, str]
    queue: Queue
    enter: Callable[[], Mapping[JobKind, Handler]]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_worker(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WORKER]
        worker = subprocess.Popen(command, cwd=ROOT, env=os.environ | self.env)
        self.workers.append(worker)
        return worker

    def work(self) -> None:
        """Run what is ready, unless that is a worker's."""
        if not self.workers:
            run_pending(self.queue, self.enter())

    def post(self, path: str, /, **body: Any) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def job(self, job_id: int) -> dict[str, Any]:
        return self.http.get(f"/jobs/{job_id}", headers={"Accept": "application/json"}).json()

    def ended(self, job_id: int, timeout: float = 60) -> dict[str, Any]:
        def over() -> bool:
            self.work()
            return self.job(job_id)["state"] not in ("PENDING", "RUNNING")

        eventually(over, timeout=timeout, what=f"job {job_id}")
        return self.job(job_id)

    def done(self, job_id: int, timeout: float = 60) -> dict[str, Any]:
        job = self.ended(job_id, timeout)
        assert job["state"] == "COMPLETED", job
        return job["result"]

    def ingest(self, symbol: str, start: str, end: str, **more: object) -> dict[str, Any]:
        return self.done(self.post(f"/ingest/{symbol}", start=start, end=end, **more)["job_id"])


@pytest.fixture
def open_house(database_url: str, database: Database, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Open the house with an exchange at `url`; `worker=True` gives it a worker process of its own."""
    queue = Queue(database, Timing(backoff=BRIEFLY / 4))
    with ExitStack() as stack:
        yield lambda url="http://127.0.0.1:9", **more: stack.enter_context(
            _house(queue, database_url, tmp_path, url, **more)
        )


@contextmanager
def _house(
    queue: Queue, database_url: str, home: Path, url: str, *, key: str = "simulated", worker: bool = False, **more: str
) -> Iterator[House]:
    env = {
        "DATABASE_URL": database_url,
        "BARSMITH_HOME": str(home / "home"),
        "ALPACA_API_BASE_URL": url,
        "ALPACA_KEY_ID": key,
        "ALPACA_SECRET_KEY": "simulated-secret",
        **more,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        settings = Settings()
    with ExitStack() as stack:
        http = stack.enter_context(serving(create_app(settings)))
        house = House(http, env, queue, cache(lambda: stack.enter_context(handlers(settings))))
        if worker:
            house.start_worker()
        try:
            yield house
        finally:
            for process in house.workers:
                process.terminate()
            for process in house.workers:
                process.wait(timeout=20)


@pytest.fixture
def waited() -> Callable[[Callable[[], bool], str], None]:
    """Wait until something holds."""
    return lambda predicate, what: eventually(predicate, timeout=30, what=what)


@dataclass
class Shop:
    """The ingestion service with a worker in the test's own process."""

    http: httpx.Client
    queue: Queue
    works: dict

    def work(self, *kinds: str) -> list:
        chosen = {kind: work for kind, work in self.works.items() if not kinds or kind in kinds}
        return run_pending(self.queue, chosen)

    def agent(self, name: str) -> dict:
        return self.http.get(f"/agents/{name}").json()

    def do(self, name: str, verb: str, **body: object) -> dict:
        answer = self.http.post(f"/agents/{name}/{verb}", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()


@pytest.fixture
def open_shop(database_url, database: Database, tmp_path) -> Iterator:
    with ExitStack() as stack:

        def opened(url: str | None = None) -> Shop:
            url = url or str(stack.enter_context(serving(create_exchange(ExchangeSettings()))).base_url)
            settings = Settings(database_url=database_url, home=tmp_path / "home", alpaca_base_url=url)
            http = stack.enter_context(serving(create_app(settings)))
            return Shop(http, Queue(database), dict(stack.enter_context(handlers(settings))))

        yield opened
