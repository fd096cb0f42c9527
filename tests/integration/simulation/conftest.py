"""The wired simulation service over a lake that holds two weeks of bars and predictions."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import SecretStr
from simulation_support import GRID, bars_and_predictions

from shared.contracts.datasets import BARS_1M, PREDICTIONS
from shared.contracts.messages import Costs
from simulation_service.domain import engine
from simulation_service.domain.engine import Terms
from simulation_service.domain.market import market_of
from simulation_service.settings import Settings
from simulation_service.wiring import assemble


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Compile the walk before any job is claimed: nobody heartbeats in these tests, and a lease is 30 seconds."""
    bars, predictions = bars_and_predictions()
    ts_us = bars["ts"].dt.epoch("us").to_numpy()
    prices = {name: bars[name].to_numpy() for name in ("open", "high", "low", "close")}
    said, traded = predictions["prediction"].to_numpy(), np.ones(len(ts_us), dtype=bool)
    market = market_of(ts_us=ts_us, prediction=said, fillable=traded, **prices)
    terms = Terms(costs=Costs(), starting_cash=100_000.0)
    engine.sweep(market, GRID, terms)
    engine.detail(market, GRID[0], terms)


@pytest.fixture
def settings(database_url, data_dir):
    return Settings(database_url=SecretStr(database_url), home=data_dir)


@pytest.fixture
def service(settings):
    """The wired service over a lake that holds bars and predictions."""
    with assemble(settings) as wired:
        bars, predictions = bars_and_predictions()
        wired.resources.lake.upsert(BARS_1M, bars)
        wired.resources.lake.upsert(PREDICTIONS, predictions)
        yield wired
