"""From bars over a split to a judged model: the same as of the market that never split."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from pydantic import SecretStr

from feature_service import settings as features_settings
from feature_service import wiring as features_wiring
from feature_service import worker as features_worker
from shared.contracts.datasets import BARS_1M, CORPORATE_ACTIONS
from shared.contracts.messages import BuildFeatures, Estimator, Folds, Target, Train, Window
from shared.contracts.splits import PRICES, trading_days
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars
from training_service.settings import Settings
from training_service.wiring import assemble
from training_service.worker import handlers

WINDOW = Window(start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 4, 1, tzinfo=UTC))
EX_DATE, RATIO = date(2024, 2, 14), 8.0


@pytest.fixture
def settings(database_url, data_dir):
    return {"database_url": SecretStr(database_url), "home": data_dir}


def as_traded(symbol: str) -> pl.DataFrame:
    bars = reverting_bars(symbol, WINDOW.start_utc, WINDOW.end_utc, seed=5, pull=0.3)
    if symbol == "ONE":
        return bars
    basis = pl.when(pl.Series(trading_days(bars["ts"]) >= EX_DATE)).then(RATIO).otherwise(1.0)
    return bars.with_columns(pl.col(*PRICES) / basis, pl.col("volume") * basis)


def test_a_model_over_a_split_is_that_of_the_market_that_never_split(settings):
    told = {"symbol": "SPLIT", "kind": "split", "ex_date": EX_DATE, "value": RATIO, "source": "test"}
    own = features_settings.Settings(**settings)
    with features_wiring.assemble(own) as built, features_worker.handlers(own) as building:
        for symbol in ("ONE", "UNTOLD", "SPLIT"):
            built.resources.lake.upsert(BARS_1M, as_traded(symbol))
        rows = pl.DataFrame([{**told, "factor": None, "former": None}], CORPORATE_ACTIONS.schema)
        built.resources.lake.upsert(CORPORATE_ACTIONS, rows)
        built.builds.submit([BuildFeatures(symbol=one, window=WINDOW) for one in ("ONE", "UNTOLD", "SPLIT")])
        run_pending(built.resources.queue, building)
    found = {}
    with assemble(Settings(**settings)) as service, handlers(Settings(**settings)) as training:
        for symbol in ("ONE", "UNTOLD", "SPLIT"):
            # of the symbol's night and of windows that reach over it
            task = Train(
                symbol=symbol,
                estimator=Estimator.ELASTICNET,
                target=Target(horizon_bars=5),
                features=("log_return_1m", "overnight_gap", "sma_200_dist", "rsi_14"),
                feature_set="core",
                folds=Folds(train_days=20, test_days=5, embargo_bars=30),
                train=WINDOW,
            )
            job = service.models.submit(task)
            run_pending(service.resources.queue, training)
            found[symbol] = service.resources.queue.job(job).result
    assert found["SPLIT"]["metrics"] == found["ONE"]["metrics"]
    assert found["SPLIT"]["importance"] == found["ONE"]["importance"]
    assert found["SPLIT"]["fingerprint"] != found["ONE"]["fingerprint"]
    assert found["UNTOLD"]["metrics"] != found["ONE"]["metrics"]
