"""Stress of a chosen run, and settings that read regimes, volume or the bot: from the lake to the trades."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from simulation_support import GRID, MIDDLE, MODEL, START, complete, simulate, sweep_of

from shared.contracts.datasets import BARS_1M, BOTS, FEATURES, PREDICTIONS
from shared.contracts.messages import Costs, Setting
from shared.errors import InvalidInput
from shared.testing.servers import serving
from simulation_service.app import create_app


def test_a_run_is_stressed_and_the_variants_are_trials_like_any_other(service, settings):
    name = simulate(service, settings, sweep_of())["fingerprint"]
    with serving(create_app(settings)) as http:
        assert http.get(f"/runs/{name}-2/stress").status_code == 404
        assert http.post(f"/runs/{MODEL}-2/stress").status_code == 404
        assert http.post(f"/runs/{name}-2/stress", json={"draws": 1}).status_code == 422
        answer = http.post(f"/runs/{name}-4/stress", json={"draws": 200, "seed": 11})
        assert answer.status_code == 202
        complete(service, settings, answer.json()["job_id"])
        told = http.get(f"/runs/{name}-4/stress").json()
        assert (told["draws"], told["seed"]) == (200, 11)
        report = told["report"]
        rows = {row["name"]: row for row in report["variants"]}
        assert list(rows)[:3] == ["as it is", "costs x 2", "1 bar later"]
        assert len(rows) == 9
        run = http.get(f"/runs/{name}-4").json()
        assert rows["as it is"]["metrics"] == run["metrics"]
        assert rows["costs x 2"]["metrics"]["total_return"] < run["metrics"]["total_return"]
        later = http.get(f"/runs/{rows['3 bars later']['run']}").json()
        assert later["setting"]["delay_bars"] == 4
        assert later["metrics"] == rows["3 bars later"]["metrics"]
        placebo = report["placebo"]
        assert (placebo["draws"], placebo["seed"], placebo["trades"]) == (200, 11, run["metrics"]["trades"])
        assert placebo["real"] == pytest.approx(run["metrics"]["total_return"], abs=2e-3)
        assert len(placebo["quantiles"]) == 101
        assert placebo["quantiles"] == sorted(placebo["quantiles"])
        below = np.mean(np.array(placebo["quantiles"]) < placebo["real"]) * 100
        assert placebo["percentile"] == pytest.approx(below, abs=2)
        # asked again it is the same job's work, and the same figures
        again = http.post(f"/runs/{name}-4/stress", json={"draws": 200, "seed": 11})
        complete(service, settings, again.json()["job_id"])
        assert http.get(f"/runs/{name}-4/stress").json() == told


def test_a_run_without_trades_has_no_placebo(service, settings):
    name = simulate(service, settings, sweep_of(settings=(Setting(threshold=0.9),)))["fingerprint"]
    job = service.stress.submit(f"{name}-0", draws=50, seed=1)
    complete(service, settings, job)
    assert service.stress.report(f"{name}-0").report.placebo is None


def regimes(service, *, value=None, column="calm"):
    """Features of the symbol with a state by the hour: 0, 1, 2 in turn, unknown in the last."""
    lake = service.resources.lake
    bars = lake.read(lake.snapshot(BARS_1M, symbol="SPY"), ["ts"])
    hour = pl.col("ts").dt.hour()
    state = pl.when(hour < 20).then(hour % 3).otherwise(None) if value is None else pl.lit(value)
    frame = bars.with_columns(
        pl.lit("states-0a1b2c3d").alias("feature_set"),
        pl.lit("SPY").alias("symbol"),
        state.cast(pl.Float32).alias(column),
    )
    lake.replace(FEATURES, frame)


def test_a_regime_gates_entries_and_a_run_of_a_mixed_sweep_is_opened_exactly(service, settings):
    regimes(service)
    plain, gated = (
        Setting(threshold=0.0, regime=name, regime_states=states) for name, states in ((None, ()), ("calm", (1,)))
    )
    result = simulate(service, settings, sweep_of(settings=(plain, gated)))
    name = result["fingerprint"]
    hours = service.runs.detail(f"{name}-1").trades["entry_ts"].dt.hour() % 3
    assert hours.len() > 0
    # an order decided on the last bar of an allowed hour fills on the first of the next
    assert (hours == 1).mean() > 0.95
    assert service.runs.detail(f"{name}-0").run.metrics.trades > hours.len()
    qualified = gated.model_copy(update={"regime": "states-0a1b2c3d:calm"})
    again = simulate(service, settings, sweep_of(settings=(qualified,)))
    assert again["runs"][0]["metrics"] == result["runs"][1]["metrics"]


def test_a_run_by_regime_has_each_state_s_number_and_name(service, settings):
    regimes(service, column="regime_vix")
    name = simulate(service, settings, sweep_of(settings=(Setting(threshold=0.0),)))["fingerprint"]
    with serving(create_app(settings)) as http:
        rows = http.get(f"/runs/{name}-0/regimes").json()
        called = {row["state"]: row["state_name"] for row in rows if row["regime"] == "regime_vix"}
        assert called == {-1: "unknown", 0: "bear volatile", 1: "bear quiet", 2: "bull volatile"}
        assert ",2,bull volatile," in http.get(f"/runs/{name}-0/regimes", params={"format": "csv"}).text
        assert "2 bull volatile" in http.get(f"/runs/{name}-0", headers={"Accept": "text/html"}).text


def test_a_regime_that_is_not_there_or_holds_no_states_is_told(service, settings):
    gated = sweep_of(settings=(Setting(threshold=0.0, regime="calm", regime_states=(1,)),))
    with pytest.raises(InvalidInput, match="no feature set of SPY has a column 'calm'"):
        simulate(service, settings, gated)
    regimes(service, value=0.5)
    with pytest.raises(InvalidInput, match=r"regime 'calm' of SPY is 0\.5 on"):
        simulate(service, settings, gated)
    regimes(service, value=-1)
    with pytest.raises(InvalidInput, match="unknown on every bar"):
        simulate(service, settings, gated)


def test_changed_states_are_noticed(service, settings):
    regimes(service)
    name = simulate(service, settings, sweep_of(settings=(Setting(threshold=0, regime="calm", regime_states=(1,)),)))
    service.runs.detail(f"{name['fingerprint']}-0")
    regimes(service, value=1)
    with serving(create_app(settings)) as http:
        answer = http.get(f"/runs/{name['fingerprint']}-0/trades")
        assert (answer.status_code, "have changed since" in answer.json()["detail"]) == (409, True)


def test_volume_is_read_only_when_costs_ask_for_it(service, settings):
    free = simulate(service, settings, sweep_of(settings=GRID[:1]))
    held_back = simulate(service, settings, sweep_of(settings=GRID[:1], costs=Costs(participation=0.01)))
    assert free["data_version"] != held_back["data_version"]
    trades = service.runs.detail(f"{held_back['fingerprint']}-0").trades
    assert trades["shares"].max() <= 10, "1 % of 1,000 shares a bar"


def test_the_bot_is_taught_by_folds_kept_by_name_and_opened_exactly(service, settings):
    lake = service.resources.lake
    _with_folds(service)
    plain, filtered = (Setting(threshold=0.0, bot_threshold=level) for level in (None, 0.5))
    sweep = sweep_of(settings=(plain, filtered), bot_horizon_bars=10)
    found = simulate(service, settings, sweep)
    counts = [run["metrics"]["trades"] for run in found["runs"]]
    assert 0 < counts[1] < counts[0]
    kept = lake.partitions(BOTS)
    assert len(kept) == 1
    assert service.runs.detail(f"{found['fingerprint']}-1").run.metrics.trades == counts[1]
    assert lake.partitions(BOTS) == kept, "read back, not taught again"
    simulate(service, settings, sweep.model_copy(update={"bot_horizon_bars": 20}))
    assert len(lake.partitions(BOTS)) == 2


def test_a_bot_with_nothing_to_learn_from_is_told(service, settings):
    first_fold = sweep_of(start=START, end=MIDDLE, settings=(Setting(threshold=0.0, bot_threshold=0.55),))
    with pytest.raises(InvalidInput, match="the bot has nothing to learn from"):
        simulate(service, settings, first_fold)


def _with_folds(service):
    """Predictions of three folds in the first week, so that the second week's bot has something to learn from."""
    lake = service.resources.lake
    frame = lake.read(lake.snapshot(PREDICTIONS, model=MODEL, symbol="SPY"))
    day = pl.col("ts").dt.weekday()
    fold = pl.when(pl.col("ts") >= MIDDLE).then(-1).otherwise((day - 1) // 2).cast(pl.Int16)
    lake.replace(PREDICTIONS, frame.with_columns(fold.alias("fold")))
