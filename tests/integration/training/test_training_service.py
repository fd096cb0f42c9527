"""The service on a real database, lake and HTTP server: from features to a frozen model and its predictions."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from pydantic import SecretStr

from feature_service.domain.bars import usable
from feature_service.domain.blocks import Month, compute_block
from feature_service.domain.catalogue import CORE
from shared.contracts.datasets import BARS_1M, FEATURES, PREDICTIONS
from shared.contracts.messages import Estimator, Folds, Predict, Target, Train, Window
from shared.errors import InvalidInput, NotFound
from shared.jobs.model import JobState
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars
from shared.testing.servers import serving
from training_service.app import create_app
from training_service.settings import Settings
from training_service.store import ModelFilter
from training_service.wiring import assemble
from training_service.worker import handlers

START, SPLIT, END = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 4, 5))
TRAIN, AFTER = Window(start=START, end=SPLIT), Window(start=SPLIT, end=END)
HTML = {"Accept": "text/html"}


@pytest.fixture
def settings(database_url, data_dir):
    return Settings(database_url=SecretStr(database_url), home=data_dir)


@pytest.fixture(scope="module")
def markets():
    """Bars and features of a market whose last return predicts the next, and of a random walk."""
    found = {}
    for symbol, pull in (("EDGE", 0.3), ("NOISE", 0.0)):
        bars = reverting_bars(symbol, START, END, seed=5, pull=pull)
        rows = usable(bars)
        parts = [
            compute_block(CORE, symbol, rows.filter(pl.col("ts") < month.start), part)
            for month in (Month(2024, number) for number in range(1, 5))
            for part in [rows.filter((pl.col("ts") >= month.start) & (pl.col("ts") < month.end))]
        ]
        found[symbol] = (bars, pl.concat(parts))
    return found


@pytest.fixture
def service(settings, markets):
    with assemble(settings) as wired:
        for bars, features in markets.values():
            wired.resources.lake.upsert(BARS_1M, bars)
            wired.resources.lake.replace(FEATURES, features)
        yield wired


def task(symbol="EDGE", estimator=Estimator.ELASTICNET, **changes):
    values = {
        "symbol": symbol,
        "estimator": estimator,
        "target": Target(horizon_bars=1),
        "folds": Folds(train_days=30, test_days=10, embargo_bars=30),
        "train": TRAIN,
        "predict": AFTER,
        **changes,
    }
    return Train(**values)


def finished(service, settings, job_id):
    with handlers(settings) as known:
        run_pending(service.resources.queue, known)
    job = service.resources.queue.job(job_id)
    if job.state is not JobState.COMPLETED:
        raise InvalidInput(job.error or job.state)
    return job.result


def trained(service, settings, wanted):
    return finished(service, settings, service.models.submit(wanted))


def predictions(service, model, symbol="EDGE"):
    lake = service.resources.lake
    return lake.read(lake.snapshot(PREDICTIONS, model=model, symbol=symbol))


@pytest.mark.parametrize("estimator", list(Estimator))
def test_a_planted_relation_is_found_out_of_sample_and_noise_is_not(service, settings, estimator):
    found = trained(service, settings, task(estimator=estimator))
    assert found["metrics"]["ic"] > 0.15
    assert found["metrics"]["r2"] > 0.02
    # three ways to say what the last minute did: here a bar closes at its extreme, so `ibs` is its return's sign
    best = max(found["importance"], key=found["importance"].get)
    assert best in {"log_return_1m", "return_z_score_20", "ibs"}
    noise = trained(service, settings, task("NOISE", estimator))
    # some 12,000 judged rows: 4 standard errors of a correlation are 0.037
    assert abs(noise["metrics"]["ic"] or 0.0) < 0.04
    assert noise["metrics"]["r2"] < 0.001


def test_a_model_is_registered_once_and_shown_over_http(service, settings):
    with serving(create_app(settings)) as http:
        answer = http.post("/train", json=task().model_dump(mode="json"))
        assert answer.status_code == 202
        result = finished(service, settings, answer.json()["job_id"])
        name = result["fingerprint"]
        shown = http.get(f"/models/{name}").json()
        assert shown["importance"] == result["importance"]
        assert shown["features"] == sorted(CORE.columns)
        assert (shown["feature_set"], shown["parent"], shown["symbol"]) == (CORE.id, None, "EDGE")
        assert [one["symbol"] for one in shown["predicted"]] == ["EDGE"]
        assert all(fold["train_rows"] > 0 for fold in shown["fold_results"])
        assert http.get("/models", params={"sort": "-ic", "symbol": "edge"}).json()["total"] == 1
        made_of = {of: http.get("/models", params={"feature_set": of}).json()["total"] for of in (CORE.id, "other-0")}
        assert made_of == {CORE.id: 1, "other-0": 0}
        assert http.get("/models/counts").json() == {CORE.id: 1}
        for page in ("/", f"/models/{name}"):
            text = http.get(page, headers=HTML)
            assert text.status_code == 200
            assert name[:10] in text.text


def test_predictions_cover_folds_inside_training_and_the_frozen_model_after_it(service, settings):
    name = trained(service, settings, task())["fingerprint"]
    rows = predictions(service, name)
    folds, frozen = rows.filter(pl.col("fold") >= 0), rows.filter(pl.col("fold") == -1)
    assert folds["ts"].max() < SPLIT <= frozen["ts"].min()
    assert (
        frozen.height
        == service.resources.lake.read(
            service.resources.lake.snapshot(BARS_1M, symbol="EDGE", start=SPLIT, end=END)
        ).height
    )
    assert rows["prediction"].is_finite().all()


def test_the_same_request_is_reused_and_adds_only_the_predictions_that_are_missing(service, settings):
    first = trained(service, settings, task(predict=None))
    assert predictions(service, first["fingerprint"])["fold"].min() == 0
    again = trained(service, settings, task(predict=AFTER))
    assert (again["fingerprint"], again["reused"]) == (first["fingerprint"], True)
    assert predictions(service, first["fingerprint"])["fold"].min() == -1
    other = trained(service, settings, task(seed=8, estimator=Estimator.XGBOOST))
    assert other["fingerprint"] != first["fingerprint"]


def test_reuse_predicts_anew_what_was_corrected_and_makes_a_lost_artefact_again(service, settings, markets):
    first = trained(service, settings, task())
    before = predictions(service, first["fingerprint"])
    lake = service.resources.lake
    april = markets["EDGE"][1].filter(pl.col("ts") >= SPLIT)
    lake.replace(FEATURES, april.with_columns(log_return_1m=pl.col("log_return_1m") * 2))
    [file] = (settings.home / "models").iterdir()
    kept = file.read_bytes()
    file.unlink()
    again = trained(service, settings, task())
    assert (again["fingerprint"], again["reused"]) == (first["fingerprint"], False)
    assert file.read_bytes() == kept
    third = trained(service, settings, task())
    assert third["reused"]
    after = predictions(service, first["fingerprint"])
    inside = pl.col("ts") < SPLIT
    assert after.filter(inside).equals(before.filter(inside))
    assert (after.filter(~inside)["prediction"] != before.filter(~inside)["prediction"]).mean() > 0.9
    assert service.models.page(ModelFilter())[1] == 1


def test_bars_without_features_stop_a_training_instead_of_shrinking_it(service, settings):
    later = Window(start=START, end=datetime(2024, 5, 15, tzinfo=UTC))
    service.resources.lake.upsert(BARS_1M, reverting_bars("EDGE", END, later.end, seed=6))
    job_id = service.models.submit(task(train=later, predict=None))
    with pytest.raises(
        InvalidInput, match=r"no features of core-.* from 2024-05-01 13:30 UTC on: POST /features/build"
    ):
        finished(service, settings, job_id)


def test_two_trainings_from_nothing_give_the_same_model_bit_for_bit(service, settings):
    one = trained(service, settings, task(estimator=Estimator.XGBOOST))
    with service.resources.database.transaction() as conn:
        conn.execute("delete from training.model")
    for file in (settings.home / "models").iterdir():
        file.unlink()
    two = trained(service, settings, task(estimator=Estimator.XGBOOST))
    assert two["model"] == one["model"]


def test_a_frozen_model_predicts_another_symbol_after_its_training_only(service, settings):
    name = trained(service, settings, task(predict=None))["fingerprint"]
    job = service.models.submit_prediction(Predict(model=name, symbol="NOISE", window=AFTER))
    assert finished(service, settings, job)["rows"] == predictions(service, name, "NOISE").height > 0
    for symbol in ("EDGE", "NOISE"):
        with pytest.raises(InvalidInput, match="would look ahead"):
            service.models.submit_prediction(
                Predict(model=name, symbol=symbol, window=Window(start=datetime(2024, 3, 28, tzinfo=UTC), end=END))
            )


def test_a_changed_artefact_is_not_loaded(service, settings):
    name = trained(service, settings, task(predict=None))["fingerprint"]
    [file] = (settings.home / "models").iterdir()
    file.write_bytes(file.read_bytes().replace(b"elasticnet", b"elasticnot"))
    job = service.models.submit_prediction(Predict(model=name, symbol="EDGE", window=AFTER))
    with pytest.raises(InvalidInput, match="was changed after it was frozen"):
        finished(service, settings, job)
    assert predictions(service, name)["fold"].min() == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbol": "NOPE"}, "not built for NOPE"),
        ({"feature_set": "nope"}, "'nope' are not built"),
        ({"features": ("nope",)}, "no feature 'nope'"),
        ({"params": {"alpha": -1.0}}, "alpha is -1.0"),
        ({"params": {"depth": 3}}, "no parameter 'depth'"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_the_door(service, change, words):
    with pytest.raises((InvalidInput, NotFound), match=words):
        service.models.submit(task(**change))
    assert service.resources.queue.jobs()[1] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folds": Folds(train_days=300, test_days=10)}, "too few for one fold"),
        (
            {"train": Window(start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2020, 6, 1, tzinfo=UTC))},
            "no features",
        ),
    ],
)
def test_a_training_that_cannot_work_fails_at_once_and_leaves_nothing(service, settings, change, words):
    job_id = service.models.submit(task(**{"predict": None, **change}))
    with pytest.raises(InvalidInput, match=words):
        finished(service, settings, job_id)
    assert service.resources.queue.job(job_id).state is JobState.FAILED
    assert service.models.predicted("0" * 64) == []
    assert not (settings.home / "models").exists()


@pytest.mark.usefixtures("service")
def test_the_form_keeps_what_was_typed(settings):
    form = {"symbol": "EDGE", "start": "2024-04-01", "end": "2024-01-01", "idempotency_key": "k"}
    with serving(create_app(settings)) as http:
        page = http.post("/train", data=form, headers=HTML)
        assert page.status_code == 422
        assert "start must come first" in page.text
        assert 'value="2024-04-01"' in page.text


def test_a_misspelt_parameter_is_refused_and_the_known_ones_are_told(settings):
    with serving(create_app(settings)) as http:
        assert http.get("/models/counts").json() == {}
        answer = http.get("/models", params={"symbl": "EDGE"})
    assert answer.status_code == 422
    assert "symbl: is not known here: there are feature_set, format, page, parent" in answer.json()["detail"]
