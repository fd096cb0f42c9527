"""Fixtures of every test: one real Postgres for the whole run, a fresh database and data folder for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from shared.clock import FixedClock
from shared.storage.embedded import EmbeddedPostgres
from shared.storage.postgres import Database
from shared.testing.postgres import fresh_database

if TYPE_CHECKING:
    from shared.storage.lake import Lake

# machine code that numba made in one run serves the next: some 10 s of compiling; a data folder of its own does not
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "numba"))

# a wall-clock limit on an example fails on a busy machine, and says nothing about the code
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One embedded Postgres for all tests. Tests that need rows ask for `database_url`."""
    with tempfile.TemporaryDirectory(prefix="barsmith-tests-") as folder, EmbeddedPostgres(Path(folder)) as url:
        yield url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """The address of an empty database, dropped after the test."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, application_name="test")
    yield database
    database.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def clock() -> FixedClock:
    """Stands still at a fixed moment until a test advances it."""
    return FixedClock(datetime(2025, 1, 2, 12, tzinfo=UTC))


@pytest.fixture
def lake(database: Database, data_dir: Path, clock: FixedClock) -> Lake:
    """An empty lake in a local folder, its manifest in the test's database."""
    from shared.storage.lake import Lake, migrate_lake

    migrate_lake(database)
    return Lake(database, str(data_dir / "lake"), clock)
