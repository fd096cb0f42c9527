"""The feature service's settings over a fresh database and folder."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from feature_service.settings import Settings


@pytest.fixture
def settings(database_url, data_dir):
    return Settings(database_url=SecretStr(database_url), home=data_dir)
