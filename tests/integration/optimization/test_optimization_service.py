"""Batches over a real database, lake, queue and HTTP servers.

The training service is stood in for by a small HTTP server with three models: only its registry's answers matter here.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from optimization_support import CHOSEN, END, FOUND, GOOD, LATE, SMALL, TRAINED, WEAK, folds, predictions, regimes, work
from pydantic import SecretStr

from optimization_service.app import create_app
from optimization_service.domain.batch import Pair
from optimization_service.schemas import BatchRequest
from optimization_service.settings import Settings
from optimization_service.store import Series
from shared.contracts.datasets import FEATURES, PREDICTIONS
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Window
from shared.testing.servers import serving


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
        assert (shown["state"], shown["done"], shown["total"], shown["trials"]) == ("COMPLETED", 8, 8, 8)
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
        axes = SMALL["axes"]
        assert {(row["threshold"], row["hold_bars"]) for row in page["items"]} == {
            (threshold, hold) for threshold in axes["threshold"] for hold in axes["hold_bars"]
        }
        assert sorted(row["number"] for row in page["items"]) == list(range(8))
        only = http.get("/leaderboard", params={"batch": name, "symbol": "qqq", "threshold": 5e-4}).json()
        assert [(row["symbol"], row["threshold"]) for row in only["items"]] == [("QQQ", 0.0005)] * 2
        answer = http.get("/leaderboard.csv", params={"batch": name, "symbol": "QQQ", "sort": "trades"})
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [int(row["trades"]) for row in rows] == sorted(int(row["trades"]) for row in rows)
        assert len(rows) == 4

        study = http.get(f"/batches/{name}/study").json()
        assert study["sharpe"] == [row["sharpe"] for row in sorted(page["items"], key=lambda row: row["number"])]
        assert study["best"][-1] == sharpes[0]
        assert http.get(f"/batches/{name}/halves").json() is None, "a week has no halves worth comparing"

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
        assert (shown["state"], shown["failed"], shown["note"]) == ("PARTIAL", 4, "4 of 8 failed")
        assert shown["luck"]["trials"] == 8, "what failed was tried, too"
        errors = {member["model"]: member["error"] for member in shown["members"]}
        assert errors[GOOD] is None
        assert "the artefact is gone" in errors[WEAK]
        assert http.get("/leaderboard", params={"batch": name}).json()["total"] == 4

        lake.upsert(PREDICTIONS, predictions(lake, WEAK, "SPY", seed=8))
        again = http.post("/batches", json=asked).json()
        assert (again["batch"], again["reused"]) == (name, False)
        ran = work(service, settings)
        assert [job.kind for job in ran].count(JobKind.SWEEP) == 1, "what was simulated is not simulated again"
        assert http.get(f"/batches/{name}").json()["state"] == "COMPLETED"
        page = http.get("/leaderboard", params={"batch": name}).json()
        assert sorted(row["number"] for row in page["items"]) == list(range(8))


def test_a_cancelled_batch_keeps_its_rows_and_goes_on_when_it_is_asked_for_again(service, settings):
    with serving(create_app(settings)) as http:
        asked = {"models": [GOOD], **SMALL}
        name = http.post("/batches", json=asked).json()["batch"]
        stopped = http.post(f"/batches/{name}/cancel").json()
        assert (stopped["state"], stopped["done"]) == ("CANCELLED", 0)
        assert work(service, settings) == []
        assert http.post(f"/batches/{name}/cancel").status_code == 409
        assert http.post("/batches", json=asked).json()["reused"] is False
        work(service, settings)
        assert http.get(f"/batches/{name}").json()["state"] == "COMPLETED"


def test_the_top_models_are_those_of_the_highest_ic_that_have_unseen_bars(service, settings):
    with serving(create_app(settings)) as http:
        name = http.post("/batches", json={"top": 2, "end": "2024-03-13T00:00:00Z", **SMALL}).json()["batch"]
        shown = service.batches.view(name).record.definition["pairs"]
        assert [pair["model"] for pair in shown] == [GOOD], "LATE has the highest ic, but was trained on all bars"
        assert shown[0]["window"]["end"] == "2024-03-13T00:00:00Z"


@pytest.mark.usefixtures("service")
def test_bad_requests_are_told_what_is_wrong(settings, database_url, data_dir):
    with serving(create_app(settings)) as http:
        many = [i / 1e5 for i in range(1_000)]
        for body, status, words in (
            ({}, 422, "one of the two"),
            ({"models": [GOOD], "top": 3}, 422, "one of the two"),
            ({"models": ["abc"]}, 422, "models"),
            ({"models": [GOOD], "method": "magic"}, 422, "method"),
            ({"models": [LATE]}, 400, "there is nothing to try model"),
            ({"models": [GOOD], "symbols": ["NONE"]}, 400, "there are no bars of NONE"),
            # with an end, too: nothing would be found out later that is not known now
            ({"models": [GOOD], "symbols": ["NONE"], "end": "2024-03-13T00:00:00Z"}, 400, "there are no bars of NONE"),
            ({"top": 1, "symbols": ["NONE"]}, 400, "there are no bars of NONE"),
            ({"models": [GOOD], "start": "2024-03-05T00:00:00Z"}, 400, "was trained until"),
            ({"models": [GOOD], "axes": {"threshold": [-1]}}, 400, "threshold = -1"),
            ({"models": [GOOD], "axes": {"beauty": [1]}}, 400, "no 'beauty'"),
            ({"models": [GOOD], "axes": {"hold_bars": []}}, 400, "0 values"),
            ({"models": [GOOD], "axes": {"signal": ["percent"]}}, 400, "models predict a log_return"),
            ({"models": [GOOD], "axes": {"delay_bars": [0, 1]}}, 400, "use close"),
            ({"models": [GOOD], "axes": {"threshold": many, "hold_bars": list(range(500))}}, 400, "at most 100000"),
            ({"models": [GOOD], "method": "guided", "trials": 9_000,
              "axes": {"threshold": many, "hold_bars": list(range(500))}}, 400, "at most 5000"),
            ({"models": [GOOD], "method": "guided", "objective": "costs_paid"}, 400, "objective 'costs_paid'"),
        ):  # fmt: skip
            answer = http.post("/batches", json=body)
            assert answer.status_code == status, answer.text
            assert words in answer.text
        assert http.get(f"/batches/{GOOD}").status_code == 404
        assert http.get(f"/batches/{GOOD}/study").status_code == 404
        assert http.get("/batches").json()["total"] == 0
    deaf = Settings(database_url=SecretStr(database_url), home=data_dir, training_url="http://127.0.0.1:9")
    with serving(create_app(deaf)) as http:
        answer = http.post("/batches", json={"models": [GOOD]})
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert "training service at http://127.0.0.1:9" in answer.json()["detail"]


def test_without_axes_the_usual_ones_are_tried_where_the_features_have_them(service, settings):
    lake = service.resources.lake

    def axes(*models):
        wish = BatchRequest(models=models, symbols=("SPY", "QQQ"), end=CHOSEN).wish()
        return {axis.name: len(axis.values) for axis in service.batches.plan(wish).axes}

    bare = {"threshold": 4, "volatility_scaled": 2, "z_limit": 2}
    assert axes(GOOD) == bare
    lake.upsert(FEATURES, regimes(lake, "SPY"))
    assert axes(GOOD) == bare, "a gate that only one of the symbols has is none of the batch"
    lake.upsert(FEATURES, regimes(lake, "QQQ"))
    assert axes(GOOD) == bare | {"regime": 3}
    with serving(create_app(settings)) as http:
        name = http.post("/batches", json={"models": [GOOD], "end": CHOSEN.isoformat()}).json()["batch"]
        work(service, settings)
        shown = http.get(f"/batches/{name}").json()
        assert (shown["state"], shown["trials"]) == ("COMPLETED", 48), shown["members"]
        gated = http.get("/leaderboard", params={"batch": name, "regime": "regime_up", "regime_states": "[1]"}).json()
        assert gated["total"] == 16
        assert {(row["regime"], tuple(row["regime_states"])) for row in gated["items"]} == {("regime_up", (1,))}

    lake.upsert(PREDICTIONS, folds(lake, GOOD, "SPY"))
    assert axes(GOOD) == bare | {"regime": 3, "bot_threshold": 2}
    assert axes(GOOD, WEAK) == bare | {"regime": 3}, "WEAK has no folds that a bot could learn from"


def test_predictions_that_cover_only_part_of_the_window_are_missing(service):
    lake = service.resources.lake
    lake.upsert(PREDICTIONS, predictions(lake, GOOD, "SPY").filter(pl.col("ts") < END - timedelta(days=2)))
    series = Series(lake)
    part, whole = (
        Pair(model=GOOD, symbol="SPY", window=Window(start=TRAINED, end=end)) for end in (END - timedelta(days=2), END)
    )
    assert not series.lacks_predictions(part)
    assert series.lacks_predictions(whole)


def test_days_after_those_a_search_chose_a_model_on_are_left_alone_unless_named(service):
    def window(**asked):
        wish = BatchRequest(models=(FOUND,), **SMALL, **asked).wish()
        return service.batches.plan(wish).pairs[0].window

    assert (window().start, window().end) == (TRAINED, CHOSEN)
    assert window(end=END).end == END
    later = CHOSEN + timedelta(days=1)
    assert window(start=later).end == datetime(2024, 3, 15, 20, tzinfo=UTC)
