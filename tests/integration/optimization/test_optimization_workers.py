"""A batch done by real worker processes, one of which dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from optimization_support import GOOD, SMALL, WEAK, predictions

from optimization_service.app import create_app
from shared.contracts.datasets import PREDICTIONS
from shared.jobs.model import JobState
from shared.testing.servers import serving
from shared.testing.waiting import eventually

#: a worker whose jobs are taken back two seconds after its death instead of thirty
WORKER = """
import importlib, sys
from datetime import timedelta
from shared.jobs.model import Timing
from shared.jobs.worker import run_worker
from shared.settings import ServiceSettings
loaders = importlib.import_module(sys.argv[1]).LOADERS
run_worker(ServiceSettings(name=sys.argv[2]), loaders, timing=Timing(lease=timedelta(seconds=2)))
"""


def test_real_worker_processes_finish_a_batch_although_one_is_killed(service, settings, data_dir):
    lake = service.resources.lake
    for seed, (model, symbol) in enumerate((m, s) for m in (GOOD, WEAK) for s in ("SPY", "QQQ")):
        lake.upsert(PREDICTIONS, predictions(lake, model, symbol, seed))
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "BARSMITH_HOME": str(data_dir),
        "BARSMITH_TRAINING_URL": settings.training_url,
    }
    environment.pop("NUMBA_CACHE_DIR", None)  # set by other tests in this process
    modules = ("simulation_service.worker", "simulation_service.worker", "optimization_service.worker")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, module, module.split("_")[0]], env=environment, stderr=subprocess.DEVNULL
        )
        for module in modules
    ]
    queue = service.resources.queue
    try:
        with serving(create_app(settings)) as http:
            asked = {"models": [GOOD, WEAK], "symbols": ["SPY", "QQQ"], **SMALL}
            name = http.post("/batches", json=asked).json()["batch"]
            running = lambda: queue.jobs(kind="simulation.sweep", state=JobState.RUNNING)[0]  # noqa: E731
            busy = eventually(running, timeout=40, what="a simulation runs")[0].worker_id
            victim = next(worker for worker in workers if busy is not None and busy.endswith(f"-{worker.pid}"))
            victim.send_signal(signal.SIGKILL)
            state = lambda: http.get(f"/batches/{name}").json()["state"]  # noqa: E731
            eventually(lambda: state() in ("COMPLETED", "PARTIAL", "FAILED"), timeout=90, what="the batch has ended")
            assert state() == "COMPLETED"
            page = http.get("/leaderboard", params={"batch": name}).json()
            rows = {(r["model"], r["symbol"], r["threshold"], r["hold_bars"]) for r in page["items"]}
            assert page["total"] == len(rows) == 16
        compiled = data_dir / "cache" / "numba"
        assert compiled.stat().st_mode & 0o777 == 0o700, "whoever may write there runs code as us"
        assert any(compiled.rglob("*.nbi")), "the second process need not compile again"
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(timeout=15)
