"""The wired simulation service over a lake that holds two weeks of bars and predictions."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from simulation_support import bars_and_predictions

from shared.contracts.datasets import BARS_1M, PREDICTIONS
from simulation_service.settings import Settings
from simulation_service.wiring import assemble


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
