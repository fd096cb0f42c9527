"""Statistics and pages over what is really built, asked over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from features_support import house

from feature_service.app import create_app
from feature_service.domain.catalogue import FULL, SETS
from feature_service.schemas import asking
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M, FEATURES
from shared.contracts.messages import BuildFeatures, Window
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars
from shared.testing.servers import serving
from training_service.app import create_app as training_app
from training_service.settings import Settings as TrainingSettings

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
HTML = {"Accept": "text/html"}


@pytest.fixture
def service(settings):
    with house(settings, {"SPY": 1, "QQQ": 2}, START, END, pull=0.3) as wired:
        window = Window(start=START, end=END)
        wired.builds.submit(
            [BuildFeatures(symbol="SPY", window=window, feature_set=name) for name in ("full", "regime")]
        )
        with handlers(settings) as known:
            run_pending(wired.resources.queue, known)
        yield wired


@pytest.mark.usefixtures("service")
def test_what_is_known_of_a_built_set(settings):
    with serving(create_app(settings)) as http:
        found = http.get("/sets/full/statistics", params={"symbol": "spy", "horizon": 1}).json()
        by_name = {one["name"]: one for one in found["columns"]}
        assert set(by_name) == set(FULL.columns)
        # these markets turn back: the last return predicts the next one with about -0.3
        assert by_name["log_return_1m"]["ic"] == pytest.approx(-0.3, abs=0.05)
        assert abs(by_name["time_sin"]["ic"]) < 0.05
        assert by_name["williams_r_14"]["cluster"] == by_name["stochastic_k"]["cluster"]
        assert 0 < found["complete_rows"] < found["complete"] <= 1
        correlation = http.get("/sets/full/correlation", params={"symbol": "SPY"}).json()
        assert np.diag(np.array(correlation["correlation"], dtype=float))[0] == pytest.approx(1)
        assert http.get("/sets/full/statistics", params={"symbol": "NOPE"}).status_code == 404
        assert http.get("/sets/full/statistics", params={"symbol": "SPY", "horizon": 0}).status_code == 422


def test_a_replay_of_what_was_known_then_equals_what_is_stored_and_a_planted_leak_does_not(service, settings):
    with serving(create_app(settings)) as http:
        honest = http.get("/sets/full/replay", params={"symbol": "SPY"}).json()
        assert (honest["month"], honest["agrees"]) == ("2024-02", True)
        assert honest["rows"] > 3_000
        # somebody writes tomorrow's values over today's
        lake = service.resources.lake
        stored = lake.read(lake.snapshot(FEATURES, symbol="SPY", feature_set=FULL.id))
        lake.replace(FEATURES, stored.with_columns(pl.col("rsi_14").shift(-1)))
        rows = stored.filter(pl.col("ts") >= datetime(2024, 2, 1, tzinfo=UTC)).height
        with service.resources.database.transaction() as conn:
            present = lake.partitions(FEATURES, feature_set=FULL.id)
            hashes = {one.partition_values["month"]: one.content_hash for one in present}
            conn.execute(
                "update features.block set content_hash = %s where feature_set = %s and month = '2024-02'",
                (hashes["2024-02"], FULL.id),
            )
        leaky = http.get("/sets/full/replay", params={"symbol": "SPY"}).json()
        assert (leaky["agrees"], leaky["rows"]) == (False, rows // 2)


def test_a_feature_under_its_candles_is_what_is_stored(service, settings):
    with serving(create_app(settings)) as http:
        day = {"from": "2024-02-05T00:00:00Z", "to": "2024-02-06T00:00:00Z"}
        drawn = http.get("/features/SPY/candles", params={"column": "rsi_14", "feature_set": "full", **day}).json()
        stored = http.get(
            "/features/SPY",
            params={"columns": "rsi_14", "feature_set": "full", "start": day["from"], "end": day["to"]},
        ).json()
        assert drawn["value"] == pytest.approx([row["rsi_14"] for row in stored])
        whole = http.get("/features/SPY/candles", params={"column": "rsi_14", "feature_set": "full"}).json()
        assert 500 < len(whole["time"]) <= 2_000
        lake = service.resources.lake
        last = lake.read(lake.snapshot(FEATURES, symbol="SPY", feature_set=FULL.id), ["rsi_14"])["rsi_14"][-1]
        assert whole["value"][-1] == pytest.approx(last)


@pytest.mark.usefixtures("service")
def test_every_page_has_its_numbers(settings):
    with serving(create_app(settings)) as http:
        front = http.get("/", headers=HTML).text
        assert all(f'href="/sets/{name}"' in front for name in SETS)
        catalogue = http.get("/catalogue", headers=HTML).text
        assert all(f'id="{one.name}"' in catalogue for one in FULL.features)
        asked = {"symbol": "SPY", "horizon": 5, "sort": "-ic", "column": "rsi_14"}
        page = http.get("/sets/full", params=asked, headers=HTML).text
        assert "column=rsi_14&amp;feature_set=full-" in page
        assert "log_return_1m" in page.split("<tbody>")[1].split("</tr>")[0]  # the strongest comes first
        assert "none" in page.split("Look-ahead")[1][:200]
        assert http.get("/sets/full", params={**asked, "cluster": 0}, headers=HTML).status_code == 200
        assert "Nothing of this set is built yet" in http.get("/sets/core", headers=HTML).text
        assert http.get("/sets/full", params={"sort": "nope"}, headers=HTML).status_code == 400
        assert http.get("/sets/nope", headers=HTML).status_code == 404
        regimes = http.get("/regimes/spy", headers=HTML).text
        assert "below SMA 200" in regimes
        assert "column=regime_gmm" in regimes


@pytest.mark.usefixtures("service")
def test_without_a_set_the_one_that_is_built_is_shown_and_what_is_not_can_be_built(settings, monkeypatch):
    with serving(create_app(settings)) as http:
        rows = http.get("/features/SPY", params={"columns": "ibs", "start": "2024-02-05", "end": "2024-02-06"})
        assert (rows.status_code, rows.headers["x-feature-set"], len(rows.json())) == (200, FULL.id, 390)
        assert http.get("/columns", params={"symbol": "SPY"}).json()[0]["feature_set"] == FULL.id
        assert http.get("/symbols").json() == [{"symbol": "SPY", "sessions": 41}]
        assert http.get("/folds/SPY", params={"train_days": 20, "test_days": 10}).json()[0]["number"] == 0
        page = http.get("/features/SPY", headers=HTML).text
        assert f'value="{FULL.id}" selected' in page
        assert f'value="{SETS["regime"].id}"' in page  # the other one is a choice away
        assert f"feature_set={FULL.id}" in http.get("/regimes/SPY", headers=HTML).text
        unbuilt = http.get("/features/SPY?feature_set=core", headers=HTML).text
        assert '<span class="mono">core</span> is not built for SPY' in unbuilt

        for page in ("/features/QQQ", "/regimes/QQQ"):
            offer = http.get(page, headers=HTML)
            assert (offer.status_code, "Build from all bars of QQQ" in offer.text) == (200, True)
        sent = http.post("/features/build", data={"symbols": "QQQ", "feature_set": "regime"}, headers=HTML)
        assert (sent.status_code, sent.headers["location"].startswith("/jobs/")) == (303, True)
        nothing = http.get("/features/NOPE", headers=HTML)
        assert (nothing.status_code, "There are no bars of NOPE" in nothing.text) == (404, True)

        monkeypatch.setitem(asking.MOST_VALUES, "json", 100_000)
        for query, status, words in (
            ("start=2024-02-02&end=2024-02-01", 422, "end 2024-02-01 00:00 must be later than start"),
            ("start=2030-01-01", 404, "they run from 2024-01-02 14:30 to"),
            ("column=ibs", 422, "column: is not known here: there are columns"),
            ("feature_set=core", 404, f"(built: {FULL.id}"),
            ("columns=nope", 400, "has no column 'nope'"),
            ("", 400, "values of SPY, and this answer may hold 100,000"),
        ):
            answer = http.get(f"/features/SPY?{query}")
            assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
        assert http.get("/folds/SPY/-1").status_code == 422
        assert http.get("/features/SPY", params={"format": "csv"}).status_code == 200


def test_a_set_says_how_labels_fall_out_by_regime_and_how_many_models_it_has(service, settings):
    with serving(create_app(settings)) as http:
        found = http.get("/sets/full/labels", params={"symbol": "SPY", "horizon": 5}).json()
        by_state = {(one["regime"], one["name"]): one for one in found}
        assert {one["regime"] for one in found} == {"regime_vix", "regime_gmm", "regime_sma"}
        above = by_state["regime_sma", "above SMA 200"]
        assert above["share"] + by_state["regime_sma", "below SMA 200"]["share"] + (
            by_state["regime_sma", "unknown"]["share"]
        ) == pytest.approx(1)
        lake = service.resources.lake
        built = lake.read(lake.snapshot(FEATURES, symbol="SPY", feature_set=FULL.id), ["ts", "regime_sma"])
        close = lake.read(lake.snapshot(BARS_1M, symbol="SPY"), ["ts", "close"])
        both = built.join(close, on="ts").with_columns(
            ahead=(pl.col("close").shift(-5) / pl.col("close")).log().over(pl.col("ts").dt.date())
        )
        of = both.filter((pl.col("regime_sma") == 1) & pl.col("ahead").is_not_null())["ahead"]
        assert above["rows"] == of.len()
        assert above["up"] == pytest.approx((of > 0).mean())
        page = http.get("/sets/full", params={"symbol": "SPY"}, headers=HTML).text
        assert "1 above SMA 200" in page
        assert "training does not answer" in page  # nothing listens there: the page stands without it
    training = TrainingSettings(**settings.model_dump(include={"database_url", "home"}))
    with serving(training_app(training)) as registry:
        row = {"fingerprint": "ab" * 32, "symbol": "SPY", "feature_set": FULL.id, "features": ["ibs"], "job_id": 1}
        texts = dict.fromkeys(("artefact_sha256", "data_version", "code_version"), "x")
        parts = {one: {} for one in ("params", "folds", "importance", "metrics")}
        train = {"start": START.isoformat(), "end": END.isoformat()}
        made = {"estimator": "elasticnet", "train": train, "fold_results": [], "created_at": END.isoformat()}
        whole = {**row, **texts, **parts, **made, "target": {"horizon_bars": 5}, "seed": 1, "train_rows": 1}
        with service.resources.database.transaction() as conn:
            conn.execute(
                "insert into training.model select * from jsonb_populate_record(null::training.model, %s::jsonb)",
                (json.dumps(whole),),
            )
        asking = settings.model_copy(update={"training_url": str(registry.base_url)})
        with serving(create_app(asking)) as http:
            assert "1 model</dd>" in http.get("/sets/full", params={"symbol": "SPY"}, headers=HTML).text
            assert f"/?feature_set={FULL.id}" in http.get("/", headers=HTML).text


def test_prometheus_is_told_what_builds_made_and_found(service, settings):
    def counted(http):
        lines = [
            line.split() for line in http.get("/metrics").text.splitlines() if line.startswith("barsmith_features")
        ]
        return {name.removeprefix("barsmith_features_"): float(value) for name, value in lines}

    with serving(create_app(settings)) as http:
        before = counted(http)
        assert before['blocks_total{outcome="made"}'] == 4  # two months of two sets
        assert before["blocks_made_twice_total"] == 0
        assert before["build_seconds_total"] > 0
        service.builds.submit([BuildFeatures(symbol="SPY", window=Window(start=START, end=END), feature_set="full")])
        with handlers(settings) as known:
            run_pending(service.resources.queue, known)
        after = counted(http)
        assert after['blocks_total{outcome="reused"}'] == before['blocks_total{outcome="reused"}'] + 2
        assert after['blocks_total{outcome="made"}'] == 4
        assert (after["builds_total"], after["rows_made_total"]) == (3, before["rows_made_total"])
        log = http.get("/builds", headers=HTML).text
        assert "3 builds made 4 blocks" in log


def test_a_feature_is_checked_in_months_that_have_its_context_or_says_that_it_had_none(service, settings):
    with serving(create_app(settings)) as http:
        alone = http.post("/leak-check/vix_z_score", params={"symbol": "SPY"}).json()
        assert "volatility: VIXY, VIX" in alone["skipped"]["context changed"]
        january = reverting_bars("VIX", START, datetime(2024, 2, 1, tzinfo=UTC), seed=8)
        service.resources.lake.upsert(BARS_1M, january)
        beside = http.post("/leak-check/vix_z_score", params={"symbol": "SPY"}).json()
        assert (beside["leak"], beside["skipped"]) == (False, {})
        assert any("context" in one["check"] for one in beside["findings"])
