"""The service on a real database, lake and HTTP server: from a submitted sweep to the trades of one run."""

from __future__ import annotations

import io
from datetime import timedelta

import polars as pl
import pytest
from simulation_support import END, GRID, MIDDLE, MODEL, PAGE, START, bars_and_predictions, complete, simulate, sweep_of

from shared.contracts.datasets import BARS_1M, EXPOSURES, PREDICTIONS, TRIALS
from shared.contracts.messages import Costs
from shared.contracts.sessions import all_sessions
from shared.errors import Conflict, InvalidInput
from shared.testing.servers import serving
from simulation_service.app import create_app
from simulation_service.use_cases import Runs


def test_a_sweep_is_stored_listed_and_opened_over_http(service, settings):
    with serving(create_app(settings)) as http:
        answer = http.post("/simulate", json=sweep_of().model_dump(mode="json"))
        assert answer.status_code == 202
        result = complete(service, settings, answer.json()["job_id"])
        assert result["reused"] is False
        name = result["fingerprint"]
        shown = http.get(f"/sweeps/{name}").json()
        assert [run["metrics"] for run in shown["runs"]] == [run["metrics"] for run in result["runs"]]
        assert shown["settings"] == [setting.model_dump(mode="json") for setting in GRID]
        assert (shown["evidence"], shown["sessions"]) == ("frozen", 5)
        assert http.get("/sweeps", params={"symbol": "SPY"}).json()["items"][0]["settings"] == len(GRID)

        listed = http.get("/runs", params={"sort": "-sharpe", "symbol": "spy", "per_page": 3}).json()
        assert listed["total"] == len(GRID)
        expected = sorted((run["metrics"]["sharpe"] for run in shown["runs"]), reverse=True)[:3]
        assert [run["metrics"]["sharpe"] for run in listed["items"]] == expected

        for run in shown["runs"]:
            trades = pl.read_csv(http.get(f"/runs/{run['id']}/trades", params={"format": "csv"}).content)
            assert len(trades) == run["metrics"]["trades"]
            equity = pl.read_parquet(
                io.BytesIO(http.get(f"/runs/{run['id']}/equity", params={"format": "parquet"}).content)
            )
            assert equity["equity"][-1] == run["metrics"]["final_equity"]
            assert equity["drawdown"].min() == run["metrics"]["max_drawdown"]
            assert trades["pnl"].sum() == pytest.approx(equity["equity"][-1] - 100_000, abs=1e-6)
        assert len(http.get(f"/runs/{name}-0/trades").json()) == shown["runs"][0]["metrics"]["trades"]


@pytest.mark.usefixtures("service")
def test_bad_requests_are_told_what_is_wrong(settings):
    with serving(create_app(settings)) as http:
        body = sweep_of().model_dump(mode="json")
        assert http.post("/simulate", json={**body, "settings": []}).status_code == 422
        assert http.post("/simulate", json={**body, "colour": "red"}).status_code == 422
        assert http.get("/runs", params={"sort": "-beauty"}).json()["error"] == "invalid_input"
        for path in ("/runs/nonsense", f"/runs/{MODEL}-0", f"/runs/{MODEL}-99999999999", f"/sweeps/{MODEL}"):
            assert http.get(path).status_code == 404
        lacking = sweep_of(start=END, end=END + timedelta(days=3)).model_dump(mode="json")
        answer = http.post("/simulate", json=lacking)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
        assert "has no predictions for SPY" in answer.json()["detail"]


def test_a_window_that_reaches_into_training_is_refused_but_folds_alone_are_told_as_such(service, settings):
    with pytest.raises(InvalidInput, match="reaches into the training"):
        simulate(service, settings, sweep_of(start=START))
    assert simulate(service, settings, sweep_of(start=START, end=MIDDLE))["evidence"] == "folds"


def test_the_same_sweep_again_is_reused_also_after_later_predictions_were_added(service, settings):
    first = simulate(service, settings, sweep_of(end=END - timedelta(days=2)))
    _, predictions = bars_and_predictions()
    later = predictions.tail(5).with_columns(pl.col("ts") + timedelta(days=30))
    service.resources.lake.upsert(PREDICTIONS, later)
    again = simulate(service, settings, sweep_of(end=END - timedelta(days=2)))
    assert again["reused"] is True
    assert {**again, "reused": False} == first
    assert service.runs.detail(f"{first['fingerprint']}-0").run.metrics.trades > 0


def test_changed_bars_make_another_sweep_and_the_old_ones_trades_are_not_invented(service, settings):
    first = simulate(service, settings, sweep_of())
    bars, _ = bars_and_predictions()
    service.resources.lake.upsert(BARS_1M, bars.tail(1).with_columns(pl.col("close") * 1.01, high=pl.lit(1000.0)))
    with pytest.raises(Conflict, match="have changed since"):
        service.runs.detail(f"{first['fingerprint']}-0")
    assert simulate(service, settings, sweep_of())["fingerprint"] != first["fingerprint"]


def test_two_submissions_while_one_waits_are_one_job(service):
    assert service.sweeps.submit(sweep_of()) == service.sweeps.submit(sweep_of())
    assert service.sweeps.submit(sweep_of()) != service.sweeps.submit(sweep_of(starting_cash=5_000.0))


def test_the_ledger_holds_every_setting_and_session(service, settings):
    result = simulate(service, settings, sweep_of())
    lake = service.resources.lake
    trials = lake.read(lake.snapshot(TRIALS, sweep=result["fingerprint"]))
    assert trials.height == len(GRID) * 5
    assert lake.read(lake.snapshot(EXPOSURES, sweep=result["fingerprint"])).height == len(GRID) * 391
    for run in result["runs"]:
        daily = trials.filter(pl.col("setting") == run["index"])
        grown = float((1 + daily["daily_return"]).product()) - 1
        assert grown == pytest.approx(run["metrics"]["total_return"])
        alpha = daily["timing_alpha"]
        assert run["metrics"]["timing_alpha_t"] == pytest.approx(alpha.mean() / alpha.std() * 5**0.5)


def test_a_frozen_baseline_is_taken_from_the_named_settings(service, settings):
    select = simulate(service, settings, sweep_of(start=START, end=MIDDLE))
    confirm = sweep_of(settings=GRID[:2], baseline_sweep=select["fingerprint"], baseline_settings=(3, 2))
    found = simulate(service, settings, confirm)
    lake, name = service.resources.lake, found["fingerprint"]
    exposure = lake.read(lake.snapshot(EXPOSURES, sweep=select["fingerprint"])).filter(pl.col("setting") == 3)
    bars = lake.read(lake.snapshot(BARS_1M, symbol="SPY", start=MIDDLE, end=END))
    day = bars.with_columns(
        minute=pl.Series(all_sessions().minute_of(bars["ts"].dt.epoch("us").to_numpy())).cast(pl.Int16),
        session=pl.col("ts").dt.date(),
        earned=pl.col("close") / pl.col("close").shift(1).over(pl.col("ts").dt.date()) - 1,
    ).with_columns(pl.col("earned").fill_null(pl.col("close") / pl.col("open") - 1))
    static = day.join(exposure, on="minute").group_by("session").agg((pl.col("earned") * pl.col("mean_position")).sum())
    trials = lake.read(lake.snapshot(TRIALS, sweep=name)).filter(pl.col("setting") == 0).join(static, on="session")
    gap = trials["daily_return"] - trials["earned"] - trials["timing_alpha"]
    assert float(gap.abs().max()) < 1e-12
    assert isinstance(service.runs, Runs)
    assert service.runs.detail(f"{name}-0").run.metrics.timing_alpha_t == found["runs"][0]["metrics"]["timing_alpha_t"]
    with pytest.raises(InvalidInput, match="settings 0 to 7"):
        simulate(service, settings, confirm.model_copy(update={"baseline_settings": (0, 8)}))
    with pytest.raises(InvalidInput, match="to take the frozen exposures from"):
        simulate(service, settings, confirm.model_copy(update={"baseline_sweep": MODEL}))


def test_costs_are_paid(service, settings):
    free = simulate(service, settings, sweep_of(costs=Costs(fee_per_fill=0, half_spread_bps=0)))
    dear = simulate(service, settings, sweep_of(costs=Costs(half_spread_bps=5)))
    for one, other in zip(free["runs"], dear["runs"], strict=True):
        assert one["metrics"]["costs_paid"] == 0
        assert one["metrics"]["final_equity"] > other["metrics"]["final_equity"]


def test_pages_show_runs_sweeps_and_what_is_missing(service, settings):
    with serving(create_app(settings)) as http:
        assert "No run yet" in http.get("/", headers=PAGE).text
        assert "No sweep yet" in http.get("/sweeps", headers=PAGE).text
        name = simulate(service, settings, sweep_of())["fingerprint"]
        listed = http.get("/?sort=-trades&symbol=spy", headers=PAGE).text
        assert listed.count(f"/runs/{name}-") == len(GRID)
        assert 'aria-sort="descending"' in listed
        shown = http.get(f"/sweeps/{name}", headers=PAGE).text
        assert "while the signal lasts" in shown
        assert "of the frozen model, after its training" in shown
        run = http.get(f"/runs/{name}-1", headers=PAGE).text
        assert "left by" in run
        assert f'data-url="/runs/{name}-1/curve"' in run
        curve = http.get(f"/runs/{name}-1/curve").json()
        assert len({len(column) for column in curve.values()}) == 1
        metrics = http.get(f"/runs/{name}-1").json()["metrics"]
        assert curve["equity"][-1] == metrics["final_equity"]
        assert min(curve["drawdown"]) == metrics["max_drawdown"]
        assert len(http.get("/runs.csv", params={"sweep": name}).text.splitlines()) == 1 + len(GRID)
        assert http.get("/runs/nonsense", headers=PAGE).status_code == 404


def test_a_run_whose_data_changed_shows_its_figures_and_says_why_its_trades_are_gone(service, settings):
    name = simulate(service, settings, sweep_of())["fingerprint"]
    bars, _ = bars_and_predictions()
    service.resources.lake.upsert(BARS_1M, bars.tail(1).with_columns(pl.col("close") * 1.01, high=pl.lit(1000.0)))
    with serving(create_app(settings)) as http:
        shown = http.get(f"/runs/{name}-0", headers=PAGE)
        assert shown.status_code == 200
        assert "have changed since sweep" in shown.text
        assert http.get(f"/runs/{name}-0/trades").status_code == 409


def test_the_form_starts_a_sweep_and_keeps_what_was_typed_when_it_is_wrong(service, settings):
    typed = {"model": MODEL, "symbol": "spy", "start": "2024-03-09", "end": "2024-03-16", "thresholds": "0.0001 0.0003"}
    with serving(create_app(settings)) as http:
        wrong = http.post("/simulate", data={**typed, "start": "2024-04-01", "hold_bars": "x"}, headers=PAGE)
        assert wrong.status_code == 422
        assert 'value="0.0001 0.0003"' in wrong.text
        assert "Input should be a valid integer" in wrong.text
        unknown = http.post("/simulate", data={**typed, "symbol": "QQQ"}, headers=PAGE)
        assert "has no predictions for QQQ" in unknown.text
        late = http.post("/simulate", data={**typed, "start": "2024-04-01"}, headers=PAGE)
        assert "start must come first" in late.text
        answer = http.post("/simulate", data={**typed, "hold_bars": "0, 15"}, headers=PAGE)
        assert answer.status_code == 303, answer.text
        job_id = int(answer.headers["location"].rsplit("/", 1)[1])
        result = complete(service, settings, job_id)
        assert [(s["threshold"], s["hold_bars"]) for s in result["sweep"]["settings"]] == [
            (0.0001, 0), (0.0003, 0), (0.0001, 15), (0.0003, 15),
        ]  # fmt: skip
