"""The optimization service over a lake with two symbols, and a training registry that answers over HTTP."""

from __future__ import annotations

import pytest
from optimization_support import put_bars, registry
from pydantic import SecretStr

from optimization_service.settings import Settings
from optimization_service.wiring import assemble
from shared.testing.postgres import fresh_database
from shared.testing.servers import serving


@pytest.fixture
def settings(database_url, data_dir):
    with serving(registry()) as training:
        yield Settings(database_url=SecretStr(database_url), home=data_dir, training_url=str(training.base_url))


@pytest.fixture
def service(settings):
    with assemble(settings) as wired:
        _fill(wired)
        yield wired


@pytest.fixture
def fresh_service(settings, postgres_url, tmp_path):
    """The same service once more, over a database and a lake of its own."""
    with fresh_database(postgres_url) as url:
        other = settings.model_copy(update={"database_url": SecretStr(url), "home": tmp_path / "other"})
        with assemble(other) as wired:
            _fill(wired)
            yield wired


def _fill(wired):
    for seed, symbol in enumerate(("SPY", "QQQ")):
        put_bars(wired.resources.lake, symbol, seed)
