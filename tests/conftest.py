"""Fixtures of every test: one real Postgres for the whole run, a fresh database and data folder for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
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


#: longest first, and what shares a house together: a long file that is begun last is waited for by every process
LONG = (
    "browser/test_house_pages.py",
    "acceptance/test_acceptance_up.py",
    "acceptance/test_acceptance_pipeline.py",
    "acceptance/test_acceptance_bad_input.py",
    "browser/test_feature_pages.py",
    "integration/optimization/test_optimization_workers.py",
    "integration/ingestion/test_ingestion_live.py",
    "integration/shared/test_jobs_chaos.py",
    "browser/test_ingestion_pages.py",
    "browser/test_ingestion_charts.py",
    "browser/test_chart_zones.py",
    "integration/features/test_features_workers.py",
    "browser/test_simulation_views.py",
    "unit/simulation/test_simulation_engine.py",
    "integration/ingestion/test_ingestion_fetch.py",
    "browser/test_web_frame.py",
    "browser/test_web_live.py",
    "integration/ingestion/test_ingestion_fault_run.py",
    "integration/shared/test_jobs_worker.py",
    "integration/shared/test_storage_torture.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first, in the order above: processes take files in the order of their first tests."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One embedded Postgres for all tests. Tests that need rows ask for `database_url`."""
    with tempfile.TemporaryDirectory(prefix="barsmith-tests-") as folder, EmbeddedPostgres(Path(folder)) as url:
        # nobody needs these databases after a crash, and each one dropped would wait for the disk
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("alter system set fsync = off")
            admin.execute("alter system set full_page_writes = off")
            admin.execute("select pg_reload_conf()")
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
