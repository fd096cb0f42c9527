from pathlib import Path

import pytest

from shared.settings import ServiceSettings


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hidden@host/db")
    monkeypatch.setenv("BARSMITH_HOME", "some/where")
    return monkeypatch


def test_values_come_from_the_environment_and_secrets_are_not_shown(environment):
    environment.setenv("BARSMITH_WORKER_TOKEN", "hidden")
    settings = ServiceSettings(name="training")
    assert settings.home == Path.cwd() / "some/where"
    assert settings.lake_root == str(Path.cwd() / "some/where/lake")
    assert settings.bind() == ("127.0.0.1", 8200)
    assert "hidden" not in repr(settings)


def test_a_browser_may_reach_a_service_elsewhere_than_its_siblings_do(environment):
    environment.setenv("BARSMITH_TRAINING_URL", "http://training:8200/")
    environment.setenv("BARSMITH_PUBLIC_URLS", '{"training": "https://models.example/"}')
    settings = ServiceSettings(name="features")
    assert settings.service_urls["training"] == "http://training:8200"
    assert settings.browser_urls["training"] == "https://models.example"
    assert settings.browser_urls["features"] == "http://127.0.0.1:8100"
