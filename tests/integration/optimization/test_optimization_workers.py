"""Batches done by real worker processes, one of which dies; and the queue as remote workers see it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from uuid import uuid4

import pytest
from optimization_support import GOOD, SMALL, WEAK, predictions, work
from pydantic import SecretStr

from optimization_service.app import create_app
from shared.contracts.datasets import PREDICTIONS
from shared.contracts.kinds import JobKind
from shared.jobs.model import JobState, Submission
from shared.testing.servers import serving
from shared.testing.waiting import eventually

#: a worker of both services whose jobs are taken back two seconds after its death instead of thirty
WORKER = """
import sys
from datetime import timedelta
from optimization_service import worker as optimization
from shared.jobs.http_transport import HttpTransport
from shared.jobs.model import Timing
from shared.jobs.worker import run_worker
from shared.settings import ServiceSettings
from simulation_service import worker as simulation
server, token = sys.argv[1:]
run_worker(
    ServiceSettings(name="worker"),
    {**optimization.LOADERS, **simulation.LOADERS},
    timing=Timing(lease=timedelta(seconds=2), poll_every=timedelta(seconds=0.2)),
    transport=HttpTransport(server, token) if server else None,
)
"""
TOKEN = "only-for-tests"


@contextmanager
def crew(settings, count, server="", *, compiling=False):
    """Start so many worker processes; end those that still live. Compiling: without the machine code of other tests."""
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "BARSMITH_HOME": str(settings.home),
        "BARSMITH_TRAINING_URL": settings.training_url,
    }
    if compiling:
        environment.pop("NUMBA_CACHE_DIR", None)
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, server, TOKEN], env=environment, stderr=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(timeout=15)


def kill_one_at_work(queue, workers):
    """Kill -9 the worker that simulates first."""
    running = lambda: queue.jobs(kind="simulation.sweep", state=JobState.RUNNING)[0]  # noqa: E731
    busy = eventually(running, timeout=40, what="a simulation runs")[0].worker_id
    victim = next(worker for worker in workers if busy is not None and busy.endswith(f"-{worker.pid}"))
    victim.send_signal(signal.SIGKILL)


def wait_for(http, name, timeout):
    state = lambda: http.get(f"/batches/{name}").json()["state"]  # noqa: E731
    eventually(lambda: state() in ("COMPLETED", "PARTIAL", "FAILED"), timeout=timeout, what="the batch has ended")
    batch = http.get(f"/batches/{name}").json()
    assert batch["state"] == "COMPLETED", batch["note"]


def leaderboard(http, name):
    """Every row of a batch by what was tried, with all it earned."""
    rows, page = [], 1
    while (answer := http.get("/leaderboard", params={"batch": name, "page": page, "per_page": 500}).json())["items"]:
        rows += answer["items"]
        page += 1
    assert len(rows) == answer["total"] == len({row["number"] for row in rows}), "no row is there twice"
    return {row["number"]: row for row in rows}


@pytest.mark.parametrize("method", ["exhaustive", pytest.param("guided", marks=pytest.mark.slow)])
def test_three_workers_one_of_them_killed_find_what_one_finds(service, settings, fresh_service, method):
    lake = service.resources.lake
    axes = {
        "threshold": [i / 1e4 for i in range(1, 16)],
        "hold_bars": list(range(10)),
        "side": ["long_flat", "long_short"],
    }
    asked = {
        "models": [GOOD, WEAK],
        "symbols": ["SPY", "QQQ"],
        "axes": axes,
        "method": method,
        "trials": 60,
        "round_size": 20,
    }
    for seed, (model, symbol) in enumerate((m, s) for m in (GOOD, WEAK) for s in ("SPY", "QQQ")):
        lake.upsert(PREDICTIONS, predictions(lake, model, symbol, seed))
        fresh_service.resources.lake.upsert(PREDICTIONS, predictions(lake, model, symbol, seed))
    with serving(create_app(settings)) as http, crew(settings, 3) as workers:
        name = http.post("/batches", json=asked).json()["batch"]
        kill_one_at_work(service.resources.queue, workers)
        wait_for(http, name, 90)
        found = leaderboard(http, name)
        assert len(found) == (1_200 if method == "exhaustive" else 60)
    alone = fresh_service.resources.settings
    with serving(create_app(alone)) as http:
        assert http.post("/batches", json=asked).json()["batch"] == name
        work(fresh_service, alone)
        assert leaderboard(http, name) == found, "trials, figures and plateaus"


@pytest.mark.slow
def test_a_batch_of_five_thousand_survives_the_death_of_one_of_three_workers(service, settings, fresh_service):
    lake = service.resources.lake
    axes = {
        "threshold": [i / 1e5 for i in range(1, 51)],
        "hold_bars": list(range(50)),
        "side": ["long_flat", "long_short"],
    }
    lake.upsert(PREDICTIONS, predictions(lake, GOOD, "SPY"))
    fresh_service.resources.lake.upsert(PREDICTIONS, predictions(lake, GOOD, "SPY"))
    with serving(create_app(settings)) as http, crew(settings, 3) as workers:
        name = http.post("/batches", json={"models": [GOOD], "axes": axes}).json()["batch"]
        kill_one_at_work(service.resources.queue, workers)
        wait_for(http, name, 300)
        found = leaderboard(http, name)
        assert len(found) == 5_000
    alone = fresh_service.resources.settings
    with serving(create_app(alone)) as http:
        http.post("/batches", json={"models": [GOOD], "axes": axes})
        work(fresh_service, alone)
        assert leaderboard(http, name) == found


def test_compiled_code_is_kept_for_the_next_process_and_private(service, settings):
    lake = service.resources.lake
    lake.upsert(PREDICTIONS, predictions(lake, GOOD, "SPY"))
    remote = settings.model_copy(update={"worker_token": SecretStr(TOKEN)})
    with serving(create_app(remote)) as http, crew(settings, 1, str(http.base_url), compiling=True):
        name = http.post("/batches", json={"models": [GOOD], **SMALL}).json()["batch"]
        wait_for(http, name, 60)  # by a worker that reaches the queue over HTTP
        assert len(leaderboard(http, name)) == 4
        assert [worker["lost"] for worker in http.get("/workers").json()] == [False]
    assert service.resources.queue.workers() == [], "who stops by itself is not lost"
    compiled = settings.home / "cache" / "numba"
    assert compiled.stat().st_mode & 0o777 == 0o700, "whoever may write there runs code as us"
    assert any(compiled.rglob("*.nbi")), "the second process need not compile again"


def test_a_worker_in_any_language_can_claim_keep_and_end_jobs(service, settings):
    queue = service.resources.queue
    first, second = queue.submit([Submission(kind=JobKind.BATCH_RANK, payload={"n": n}) for n in (1, 2)])
    remote = settings.model_copy(update={"worker_token": SecretStr(TOKEN)})
    with serving(create_app(remote)) as http, serving(create_app(settings)) as closed:
        claim = {"kinds": ["optimization.rank"], "limit": 2, "token": str(uuid4()), "worker": "elsewhere"}
        assert closed.post("/api/worker/claim", json=claim).status_code == 401, "no token is set there"
        assert http.post("/api/worker/claim", json=claim).status_code == 401
        assert http.post("/api/worker/claim", json=claim, headers={"Authorization": "Bearer guess"}).status_code == 401
        http.headers["Authorization"] = f"Bearer {TOKEN}"
        taken = http.post("/api/worker/claim", json=claim).json()
        assert [job["payload"] for job in taken["jobs"]] == [{"n": 1}, {"n": 2}]
        assert http.post("/api/worker/claim", json=claim).json() == taken, "the same again when the answer was lost"
        mine = {"token": claim["token"]}
        beat = http.post("/api/worker/heartbeat", json={**mine, "job_id": first, "progress": 0.5, "note": "half"})
        assert beat.json() == {"answer": "ok"}
        assert queue.job(first).progress == 0.5
        [worker] = http.get("/workers").json()
        assert (worker["id"], worker["lost"], worker["note"]) == ("elsewhere", False, "half")
        done = {**mine, "job_id": first, "result": {"failed": [{"point": "none"}]}}
        assert http.post("/api/worker/complete", json=done).status_code == 400, "the effect refuses it"
        stranger = {"token": str(uuid4()), "job_id": second}
        assert http.post("/api/worker/fail", json={**stranger, "error": "?"}).status_code == 409
        assert http.post("/api/worker/heartbeat", json={**stranger, "progress": 0}).json() == {"answer": "lost"}
        failed = {**mine, "job_id": second, "error": "no disk", "retry": False}
        assert http.post("/api/worker/fail", json=failed).json() == {"state": "FAILED"}
        assert http.post("/api/worker/leave", json={"worker": "elsewhere"}).status_code == 204
        assert http.get("/workers").json() == []
