"""Batches over a real database, lake, queue, HTTP servers and worker processes.

The training service is stood in for by a small HTTP server with three models: only its registry's answers matter here.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from optimization_service.app import create_app
from optimization_service.domain.batch import Pair
from optimization_service.settings import Settings
from optimization_service.store import Store
from optimization_service.wiring import assemble
from optimization_service.worker import handlers as own_handlers
from shared.contracts.datasets import BARS_1M, PREDICTIONS
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Window
from shared.contracts.sessions import sessions_between
from shared.errors import InvalidInput
from shared.jobs.model import JobState, Outcome
from shared.testing.jobs import run_pending
from shared.testing.servers import serving
from shared.testing.waiting import eventually
from simulation_service.settings import Settings as SimulationSettings
from simulation_service.worker import handlers as simulation_handlers

GOOD, WEAK, LATE = (hashlib.sha256(name).hexdigest() for name in (b"good", b"weak", b"late"))
START = datetime(2024, 3, 4, tzinfo=UTC)
TRAINED = datetime(2024, 3, 9, tzinfo=UTC)
END = datetime(2024, 3, 16, tzinfo=UTC)
ICS = {GOOD: 0.05, WEAK: 0.01, LATE: 0.20}
SMALL = {"thresholds": [0.0001, 0.0005], "hold_bars": [0, 10]}


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


def registry() -> FastAPI:
    """The part of the training service's interface that batches read."""
    app = FastAPI()

    def model(name):
        trained = END if name == LATE else TRAINED
        window = {"start": START.isoformat(), "end": trained.isoformat()}
        return {"fingerprint": name, "symbol": "SPY", "train": window, "metrics": {"ic": ICS[name]}}

    @app.get("/models")
    def models():
        return {"items": [model(name) for name in ICS], "total": 3, "page": 1, "per_page": 500}

    @app.get("/models/{name}")
    def one(name: str):
        return model(name)

    return app


def put_bars(lake, symbol, seed):
    ts = sessions_between(int(START.timestamp() * 1e6), int(END.timestamp() * 1e6)).expected_minutes()
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 4e-4, len(ts))))
    stamps = pl.Series(ts.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    columns = {"open": close, "high": close * 1.0001, "low": close * 0.9999, "close": close}
    frame = pl.DataFrame({"symbol": [symbol] * len(ts), "ts": stamps, **columns, "volume": 1.0 * np.ones(len(ts))})
    lake.upsert(BARS_1M, frame.with_columns(pl.lit("test").alias("source")))


def predictions(lake, model, symbol, seed=7):
    bars = lake.read(lake.snapshot(BARS_1M, symbol=symbol, start=TRAINED, end=END), ["ts"])
    said = np.random.default_rng(seed).normal(0, 4e-4, bars.height)
    said_at = bars.select(pl.lit(model).alias("model"), pl.lit(symbol).alias("symbol"), "ts")
    return said_at.with_columns(pl.Series("prediction", said), pl.lit(-1, pl.Int16).alias("fold"))


@pytest.fixture
def settings(database_url, data_dir):
    with serving(registry()) as training:
        yield Settings(database_url=SecretStr(database_url), home=data_dir, training_url=str(training.base_url))


@pytest.fixture
def service(settings):
    with assemble(settings) as wired:
        for seed, symbol in enumerate(("SPY", "QQQ")):
            put_bars(wired.resources.lake, symbol, seed)
        yield wired


def work(service, settings):
    """Run everything that waits: our three steps, the simulations, and predictions that only GOOD can make."""
    lake = service.resources.lake

    def predict(context):
        if context.payload["model"] != GOOD:
            raise InvalidInput("the artefact is gone")
        lake.upsert(PREDICTIONS, predictions(lake, context.payload["model"], context.payload["symbol"]))
        return Outcome(result={})

    simulation = SimulationSettings(**settings.model_dump(exclude={"name"}))
    with own_handlers(settings) as own, simulation_handlers(simulation) as simulating:
        return run_pending(service.resources.queue, {**own, **simulating, JobKind.PREDICT: predict})


def test_a_batch_predicts_what_is_missing_simulates_and_ranks(service, settings):
    service.resources.lake.upsert(PREDICTIONS, predictions(service.resources.lake, GOOD, "SPY"))
    with serving(create_app(settings)) as http:
        asked = {"models": [GOOD], "symbols": ["SPY", "QQQ"], **SMALL}
        answer = http.post("/batches", json=asked)
        assert answer.status_code == 202, answer.text
        name = answer.json()["batch"]
        assert http.get(f"/batches/{name}").json()["state"] == "PENDING"
        done = work(service, settings)
        assert [job.kind for job in done if job.kind == JobKind.PREDICT] == [JobKind.PREDICT], "one pair had its own"

        shown = http.get(f"/batches/{name}").json()
        assert (shown["state"], shown["done"], shown["total"], shown["trials"]) == ("COMPLETED", 2, 2, 8)
        windows = [member["window"] for member in shown["members"]]
        assert {window["start"] for window in windows} == {"2024-03-09T00:00:00Z"}
        assert {window["end"] for window in windows} == {"2024-03-15T20:00:00Z"}, "the end of the stored bars"

        page = http.get("/leaderboard", params={"batch": name, "sort": "-sharpe"}).json()
        assert page["total"] == 8
        sharpes = [row["sharpe"] for row in page["items"]]
        assert sharpes == sorted(sharpes, reverse=True)
        assert shown["luck"]["trials"] == 8
        assert shown["luck"]["best_sharpe"] == sharpes[0]
        assert shown["luck"]["sharpe_by_luck"] == pytest.approx(float(np.std(sharpes, ddof=1)) * 1.4591, rel=1e-3)
        assert {(row["threshold"], row["hold_bars"]) for row in page["items"]} == {
            (threshold, hold) for threshold in SMALL["thresholds"] for hold in SMALL["hold_bars"]
        }
        only = http.get("/leaderboard", params={"batch": name, "symbol": "qqq", "threshold": 0.0005}).json()
        assert [(row["symbol"], row["threshold"]) for row in only["items"]] == [("QQQ", 0.0005)] * 2
        answer = http.get("/leaderboard.csv", params={"batch": name, "symbol": "QQQ", "sort": "trades"})
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [int(row["trades"]) for row in rows] == sorted(int(row["trades"]) for row in rows)
        assert len(rows) == 4
        heat = http.get(f"/batches/{name}/heatmap").json()
        assert (heat["thresholds"], heat["hold_bars"]) == (SMALL["thresholds"], SMALL["hold_bars"])
        assert max(value for row in heat["best"] for value in row) == sharpes[0]

        again = http.post("/batches", json={**asked, "symbols": ["QQQ", "SPY"]}).json()
        assert again == {**answer_of(name, shown), "reused": True}
        assert work(service, settings) == []


def answer_of(name, shown):
    return {"batch": name, "job_id": shown["job_id"], "link": f"/batches/{name}"}


def test_a_failed_member_is_shown_the_rest_ranks_and_starting_again_mends_it(service, settings):
    lake = service.resources.lake
    with serving(create_app(settings)) as http:
        asked = {"models": [GOOD, WEAK], **SMALL}
        name = http.post("/batches", json=asked).json()["batch"]
        work(service, settings)
        shown = http.get(f"/batches/{name}").json()
        assert (shown["state"], shown["failed"], shown["note"]) == ("PARTIAL", 1, "1 of 2 failed")
        errors = {member["model"]: member["error"] for member in shown["members"]}
        assert errors[GOOD] is None
        assert "the artefact is gone" in errors[WEAK]
        assert http.get("/leaderboard", params={"batch": name}).json()["total"] == 4

        lake.upsert(PREDICTIONS, predictions(lake, WEAK, "SPY", seed=8))
        again = http.post("/batches", json=asked).json()
        assert (again["batch"], again["reused"]) == (name, False)
        work(service, settings)
        assert http.get(f"/batches/{name}").json()["state"] == "COMPLETED"
        assert http.get("/leaderboard", params={"batch": name}).json()["total"] == 8


def test_the_top_models_are_those_of_the_highest_ic_that_have_unseen_bars(service, settings):
    with serving(create_app(settings)) as http:
        name = http.post("/batches", json={"top": 2, "end": "2024-03-13T00:00:00Z", **SMALL}).json()["batch"]
        shown = service.batches.view(name).record.definition["pairs"]
        assert [pair["model"] for pair in shown] == [GOOD], "LATE has the highest ic, but was trained on all bars"
        assert shown[0]["window"]["end"] == "2024-03-13T00:00:00Z"


@pytest.mark.usefixtures("service")
def test_bad_requests_are_told_what_is_wrong(settings, database_url, data_dir):
    with serving(create_app(settings)) as http:
        for body, status, words in (
            ({}, 422, "one of the two"),
            ({"models": [GOOD], "top": 3}, 422, "one of the two"),
            ({"models": ["abc"]}, 422, "models"),
            ({"models": [LATE]}, 400, "there is nothing to try model"),
            ({"models": [GOOD], "symbols": ["NONE"]}, 400, "there are no bars of NONE"),
            ({"models": [GOOD], "start": "2024-03-05T00:00:00Z"}, 400, "was trained until"),
            ({"models": [GOOD], "thresholds": [i / 1e4 for i in range(600)]}, 400, "at most 1000"),
        ):
            answer = http.post("/batches", json=body)
            assert answer.status_code == status, answer.text
            assert words in answer.text
        assert http.get("/leaderboard", params={"sort": "beauty"}).status_code == 400
        assert http.get(f"/batches/{GOOD}").status_code == 404
        assert http.get("/batches").json()["total"] == 0
    deaf = Settings(database_url=SecretStr(database_url), home=data_dir, training_url="http://127.0.0.1:9")
    with serving(create_app(deaf)) as http:
        answer = http.post("/batches", json={"models": [GOOD]})
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert "training service at http://127.0.0.1:9" in answer.json()["detail"]


def test_few_trades_are_flagged_and_filtered(service, settings):
    with serving(create_app(settings)) as http:
        name = http.post("/batches", json={"models": [GOOD], "thresholds": [0.0001, 0.0012]}).json()["batch"]
        work(service, settings)
        rows = http.get("/leaderboard", params={"batch": name}).json()["items"]
        assert {row["flag"] for row in rows} == {"", "lucky?"}
        assert all((row["flag"] == "lucky?") == (row["trades"] < 10) for row in rows)
        left = http.get("/leaderboard", params={"batch": name, "min_trades": 10}).json()
        assert left["total"] == sum(row["trades"] >= 10 for row in rows)


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
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(timeout=15)


def test_predictions_that_cover_only_part_of_the_window_are_missing(service):
    lake = service.resources.lake
    lake.upsert(PREDICTIONS, predictions(lake, GOOD, "SPY").filter(pl.col("ts") < END - timedelta(days=2)))
    store = Store(service.resources.database, lake)
    part, whole = (
        Pair(model=GOOD, symbol="SPY", window=Window(start=TRAINED, end=end)) for end in (END - timedelta(days=2), END)
    )
    assert not store.lacks_predictions(part)
    assert store.lacks_predictions(whole)


PAGE = {"Accept": "text/html"}


def test_pages_from_the_form_to_the_leaderboard(service, settings):
    with serving(create_app(settings)) as http:
        assert "No batch yet" in http.get("/", headers=PAGE).text
        assert "No trials" in http.get("/leaderboard", headers=PAGE).text
        typed = {"models": GOOD, "symbols": "SPY, QQQ", "thresholds": "0.0001 0.0005", "top": "0"}
        both = http.post("/batches", data={**typed, "top": "2"}, headers=PAGE)
        assert both.status_code == 422
        assert "one of the two" in both.text
        unknown = http.post("/batches", data={**typed, "symbols": "NONE"}, headers=PAGE)
        assert "there are no bars of NONE" in unknown.text
        answer = http.post("/batches", data=typed, headers=PAGE)
        assert answer.status_code == 303, answer.text
        name = answer.headers["location"].rsplit("/", 1)[1]
        waiting = http.get(f"/batches/{name}", headers=PAGE).text
        assert "none with a Sharpe ratio yet" in waiting
        work(service, settings)
        shown = http.get(f"/batches/{name}?sort=-trades&symbol=qqq", headers=PAGE).text
        assert "Best of 8 trials" in shown
        assert "Luck alone would show about" in shown
        assert "hold" in shown
        assert shown.count('<td class="t">QQQ</td>') == 4 + 1, "four trials and the member"
        assert f"batch={name}" in shown, "the CSV has the page's filters"
        assert "2 / 2" in http.get("/", headers=PAGE).text
        assert "Best of 8 trials" in http.get("/leaderboard", headers=PAGE).text
