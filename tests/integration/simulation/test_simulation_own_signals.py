"""A user's own series, from the upload to its trades; and a single run answered while one waits."""

from __future__ import annotations

import io
import json
import math
import re

import numpy as np
import polars as pl
import pytest
from simulation_support import END, MIDDLE, MODEL, PAGE, bars_and_predictions, complete, sweep_of

from shared.contracts.datasets import SIGNALS
from shared.contracts.messages import Setting
from shared.testing.servers import serving
from simulation_service.app import create_app
from simulation_service.use_cases import sweeps as sweeps_module
from simulation_service.wiring import assemble

SETTING = Setting(threshold=0.0002, hold_bars=15).model_dump(mode="json")
WINDOW = {"start": MIDDLE.isoformat(), "end": END.isoformat()}
CSV = {"Content-Type": "text/csv"}


def own_file(kind: str = "prediction") -> bytes:
    _, predictions = bars_and_predictions()
    frame = predictions.filter(pl.col("ts") >= MIDDLE).select("ts", kind_value(kind))
    return frame.with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv().encode()


def kind_value(kind: str) -> pl.Expr:
    wanted = pl.when(pl.col("prediction") > 2e-4).then(1).when(pl.col("prediction") < -2e-4).then(-1).otherwise(0)
    return pl.col("prediction") if kind == "prediction" else wanted.alias("position")


@pytest.mark.usefixtures("service")
def test_ones_own_predictions_earn_what_the_models_earn(settings):
    with serving(create_app(settings)) as http:
        brought = http.post("/signals", params={"symbol": "spy", "name": "mine"}, content=own_file(), headers=CSV)
        assert brought.status_code == 201, brought.text
        mine = brought.json()
        assert (mine["kind"], mine["symbol"], mine["name"], mine["rows"]) == ("prediction", "SPY", "mine", 1950)
        body = {"symbol": "SPY", "window": WINDOW, "setting": SETTING}
        own = http.post("/simulate", json={"model": mine["fingerprint"], **body})
        theirs = http.post("/simulate", json={"model": MODEL, **body})
        assert own.status_code == theirs.status_code == 200, own.text
        assert own.json()["metrics"] == theirs.json()["metrics"]
        assert (own.json()["evidence"], theirs.json()["evidence"]) == ("own", "frozen")
        trades = pl.read_csv(http.get(f"/runs/{own.json()['id']}/trades", params={"format": "csv"}).content)
        assert trades.height == own.json()["metrics"]["trades"] > 0
        assert http.get("/runs", params={"evidence": "own"}).json()["total"] == 1
        # the same again is the same, under the name it had
        again = http.post("/signals", params={"symbol": "SPY", "name": "other"}, content=own_file(), headers=CSV)
        assert again.json() == mine
        assert http.get("/signals", params={"symbol": "spy"}).json()["total"] == 1
        rows = pl.read_csv(http.get(f"/signals/{mine['fingerprint']}/rows").content)
        assert rows.columns == ["ts", "prediction"]
        assert rows.height == 1950


@pytest.mark.usefixtures("service")
def test_predicted_prices_trade_as_prices_and_are_refused_as_anything_else(settings):
    bars, predictions = bars_and_predictions()
    said = bars.with_columns(prediction=pl.col("close") * predictions["prediction"].exp()).filter(
        pl.col("ts") >= MIDDLE
    )
    content = io.BytesIO()
    said.select("ts", "prediction").write_parquet(content)
    with serving(create_app(settings)) as http:
        mine = http.post("/signals", params={"symbol": "SPY"}, content=content.getvalue(), headers=CSV).json()
        body = {"model": mine["fingerprint"], "symbol": "SPY", "window": WINDOW}
        setting = {"threshold": 0.02, "signal": "price", "side": "short_flat", "time_stop_bars": 50}
        run = http.post("/simulate", json={**body, "setting": setting}).json()
        trades = pl.read_csv(http.get(f"/runs/{run['id']}/trades", params={"format": "csv"}).content)
        assert trades.height == run["metrics"]["trades"] > 0
        for signal, threshold in (("log_return", 0.02), ("probability", 0.55)):
            asked = {"threshold": threshold, "signal": signal}
            answer = http.post("/simulate", json={**body, "setting": asked})
            assert (answer.status_code, f"not read as {signal}" in answer.json()["detail"]) == (400, True)


@pytest.mark.usefixtures("service")
def test_a_models_predictions_are_log_returns_and_thresholds_that_are_never_passed_say_so(settings):
    with serving(create_app(settings)) as http:
        body = {"model": MODEL, "symbol": "SPY", "window": WINDOW}
        for path in ("/simulate", "/sweeps"):
            asked = {**body, "settings": [{"threshold": 0.05, "signal": "percent"}]}
            answer = http.post(path, json=asked)
            assert (answer.status_code, "predicts a log_return" in answer.json()["detail"]) == (400, True), path
        run = http.post("/simulate", json={**body, "setting": {"threshold": 0.05}}).json()
        assert run["metrics"]["trades"] == 0
        assert re.fullmatch(
            r"the log return signal goes from -0\.001\d+ to 0\.001\d+: threshold 0\.05 is never passed, so this "
            r"setting cannot trade\. Give thresholds in the signal's own unit", run["note"],
        )  # fmt: skip
        assert "is never passed" in http.get(f"/runs/{run['id']}", headers=PAGE).text
        assert http.post("/simulate", json={**body, "setting": {"threshold": 1e-4}}).json()["note"] == ""
        # a percent of one's own, in thresholds ten times too large
        mine = http.post("/signals", params={"symbol": "SPY"}, content=own_file(), headers=CSV).json()["fingerprint"]
        grid = [{"threshold": threshold, "signal": "percent"} for threshold in (0.05, 0.1)]
        sweep = {**body, "model": mine, "settings": grid}
        job = http.post("/sweeps", json=sweep).json()["job_id"]
        with assemble(settings) as wired:
            result = complete(wired, settings, job)
        assert "thresholds from 0.05 are never passed, so none of 2 settings can trade" in result["note"]
        assert http.get(f"/sweeps/{result['fingerprint']}").json()["note"] == result["note"]
        assert "none of 2 settings can trade" in http.get(f"/sweeps/{result['fingerprint']}", headers=PAGE).text


@pytest.mark.usefixtures("service")
def test_a_series_that_knows_the_next_bar_is_told(settings):
    bars, _ = bars_and_predictions()
    bars = bars.filter(pl.col("ts") >= MIDDLE)
    ahead = bars.select("ts", prediction=(pl.col("close").shift(-1) / pl.col("close")).log())
    late = bars.select("ts", prediction=(pl.col("close") / pl.col("close").shift(1)).log())
    with serving(create_app(settings)) as http:
        for said, told in ((ahead, True), (late, False)):
            content = io.BytesIO()
            said.write_parquet(content)
            mine = http.post("/signals", params={"symbol": "SPY"}, content=content.getvalue(), headers=CSV).json()
            body = {"model": mine["fingerprint"], "symbol": "SPY", "window": WINDOW, "setting": SETTING}
            run = http.post("/simulate", json=body).json()
            assert ("moves with the bar that follows it (correlation 1.00)" in run["note"]) is told
            assert ("moves with the bar" in http.get(f"/runs/{run['id']}", headers=PAGE).text) is told


@pytest.mark.usefixtures("service")
def test_positions_are_simulated_as_they_are_said(settings):
    with serving(create_app(settings)) as http:
        frame = pl.read_csv(own_file("position")).with_columns(pl.col("ts").str.to_datetime(time_zone="UTC"))
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        mine = http.post("/signals", params={"symbol": "SPY"}, content=buffer.getvalue(), headers=CSV).json()
        assert mine["kind"] == "position"
        setting = {"threshold": 0, "signal": "position", "side": "long_short"}
        body = {"model": mine["fingerprint"], "symbol": "SPY", "window": WINDOW}
        own = http.post("/simulate", json={**body, "setting": setting}).json()
        same = {"threshold": 0.0002, "side": "long_short"}
        theirs = http.post("/simulate", json={**body, "model": MODEL, "setting": same}).json()
        assert own["metrics"] == theirs["metrics"]
        wrong = http.post("/simulate", json={**body, "setting": same})
        assert wrong.status_code == 400
        assert "use signal position with threshold 0" in wrong.json()["detail"]


@pytest.mark.usefixtures("service")
def test_what_is_wrong_with_a_file_is_told(settings):
    with serving(create_app(settings)) as http:

        def refused(content, **params):
            answer = http.post("/signals", params={"symbol": "SPY", **params}, content=content, headers=CSV)
            return answer.status_code, answer.json()["detail"]

        assert refused(b"ts,price\n1,2\n") == (
            400, "a series needs the columns ts and either prediction or position; this file has ts, price",
        )  # fmt: skip
        assert refused(own_file(), symbol="a b")[0] == 400
        assert refused(own_file(), symbol="NONE") == (
            400, "symbol NONE: there are no bars to trade it on: ingest them first, then send again",
        )  # fmt: skip
        early = refused(b"ts,prediction\n2019-01-02T14:30:00Z,1\n")
        assert (early[0], "no bars of SPY from 2019-01-02 14:30:00+00:00" in early[1]) == (400, True)
        for odd in (b"9999-12-31T23:59:00Z,1\n", b"0001-01-01T00:00:00Z,1\n2024-03-11T14:30:00Z,1\n"):
            status, told = refused(b"ts,prediction\n" + odd)
            assert (status, "no bars are that" in told) == (400, True)
        assert refused(b"ts,prediction\n2024-03-11T14:30:00Z,\n") == (400, "no row of the file has a prediction")
        assert http.get("/signals").json()["total"] == 0
        status, told = refused(b"x" * (16 * 2**20 + 1))
        assert status == 413
        assert "16 MiB" in told
        assert http.post("/signals", content=own_file(), headers=CSV).status_code == 422
        body = {"model": MODEL, "symbol": "SPY", "window": WINDOW, "starting_cash": 1e5, "costs": {}}
        for field, sent in (
            ("setting.threshold", {"setting": {"threshold": math.inf}}),
            ("setting.take_profit", {"setting": {**SETTING, "take_profit": math.inf}}),
            ("costs.fee_per_share", {"costs": {"fee_per_share": math.inf}, "setting": SETTING}),
            ("starting_cash", {"starting_cash": math.nan, "setting": SETTING}),
        ):
            sent_as = json.dumps({**body, **sent}).encode()
            answer = http.post("/simulate", content=sent_as, headers={"Content-Type": "application/json"})
            assert answer.status_code == 422, field
            assert f"{field.replace('setting.', 'settings.0.')}: Input should be" in answer.json()["detail"]
        # times between the bars, another symbol, a window without any
        odd = b"ts,prediction\n2024-03-11T14:30:07Z,1\n"
        mine = http.post("/signals", params={"symbol": "SPY"}, content=odd, headers=CSV).json()["fingerprint"]
        body = {"model": mine, "symbol": "SPY", "window": WINDOW, "setting": SETTING}
        assert "ts must be the start of a bar" in http.post("/simulate", json=body).json()["detail"]
        other = http.post("/simulate", json={**body, "symbol": "QQQ"})
        assert (other.status_code, "was brought for SPY" in other.json()["detail"]) == (404, True)
        assert http.get(f"/signals/{MODEL}").status_code == 404


def test_a_single_setting_answers_in_line_and_is_stored_like_any_other(service, settings, monkeypatch):
    with serving(create_app(settings)) as http:
        body = {"model": MODEL, "symbol": "SPY", "window": WINDOW, "setting": SETTING}
        answer = http.post("/simulate", json=body)
        assert answer.status_code == 200
        run = answer.json()
        assert http.get(f"/runs/{run['id']}").json() == run
        assert http.post("/simulate", json=body).json() == run
        assert service.resources.queue.jobs()[1] == 0
        daily = http.get(f"/runs/{run['id']}/daily").json()
        assert np.prod([1 + day["daily_return"] for day in daily]) - 1 == pytest.approx(run["metrics"]["total_return"])
        # as a job it is found stored already
        swept = http.post("/sweeps", json=sweep_of(settings=(Setting(**SETTING),)).model_dump(mode="json"))
        assert swept.status_code == 202
        assert complete(service, settings, swept.json()["job_id"])["reused"] is True
        monkeypatch.setattr(sweeps_module, "SHORT_BARS", 10)
        assert http.post("/simulate", json={**body, "starting_cash": 5_000}).status_code == 202


@pytest.mark.usefixtures("service")
def test_a_fill_at_the_signal_bars_own_close_is_labelled(settings):
    with serving(create_app(settings)) as http:
        body = {"model": MODEL, "symbol": "SPY", "window": WINDOW}
        soon = http.post("/simulate", json={**body, "setting": {**SETTING, "delay_bars": 0, "fill": "close"}}).json()
        later = http.post("/simulate", json={**body, "setting": SETTING}).json()
        assert (soon["optimistic"], later["optimistic"]) == (True, False)
        for address in (f"/runs/{soon['id']}", f"/runs/{soon['id']}/tearsheet", "/runs", f"/sweeps/{soon['sweep']}"):
            assert "ptimistic" in http.get(address, headers=PAGE).text
        assert "ptimistic" not in http.get(f"/runs/{later['id']}/tearsheet").text


def test_every_model_of_a_symbol_is_simulated_at_once(service, settings):
    from shared.contracts.datasets import PREDICTIONS

    _, predictions = bars_and_predictions(seed=2)
    second = "ab" * 32
    service.resources.lake.upsert(PREDICTIONS, predictions.with_columns(pl.lit(second).alias("model")))
    with serving(create_app(settings)) as http:
        body = {"symbol": "spy", "window": WINDOW, "settings": [SETTING]}
        answer = http.post("/sweeps/all-models", json=body)
        assert answer.status_code == 202, answer.text
        jobs = answer.json()["jobs"]
        assert [job["model"] for job in jobs] == sorted([MODEL, second])
        for job in jobs:
            complete(service, settings, job["job_id"])
        assert {run["model"] for run in http.get("/runs").json()["items"]} == {MODEL, second}
        nobody = http.post("/sweeps/all-models", json={**body, "symbol": "QQQ"})
        assert (nobody.status_code, "no model has predictions for QQQ" in nobody.json()["detail"]) == (404, True)


def test_a_file_whose_job_died_before_its_name_was_kept_is_brought_again(service):
    lake, signals = service.resources.lake, service.signals
    record = signals.keep(own_file(), symbol="SPY")
    with service.resources.database.transaction() as conn:
        conn.execute("delete from simulation.signals")
    assert signals.keep(own_file(), symbol="SPY").fingerprint == record.fingerprint
    assert lake.read(lake.snapshot(SIGNALS, signals=record.fingerprint)).height == 1950
