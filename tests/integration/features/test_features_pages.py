"""Statistics and pages over what is really built, asked over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from pydantic import SecretStr

from feature_service.app import create_app
from feature_service.domain.catalogue import FULL, SETS
from feature_service.settings import Settings
from feature_service.wiring import assemble
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M, FEATURES
from shared.contracts.messages import BuildFeatures, Window
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars
from shared.testing.servers import serving

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
HTML = {"Accept": "text/html"}


@pytest.fixture
def settings(database_url, data_dir):
    return Settings(database_url=SecretStr(database_url), home=data_dir)


@pytest.fixture
def service(settings):
    with assemble(settings) as wired:
        for seed, symbol in enumerate(("SPY", "QQQ"), start=1):
            wired.resources.lake.upsert(BARS_1M, reverting_bars(symbol, START, END, seed=seed, pull=0.3))
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
