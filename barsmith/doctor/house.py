"""Checks of the running house: database, tables, services, workers, files. They read and change nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barsmith import folder
from barsmith.doctor.finding import Finding, fail, ok, warn
from barsmith.environment import addresses
from barsmith.house import SERVICES

if TYPE_CHECKING:
    import psycopg

_MAX_SKEW = timedelta(seconds=5)
_SILENT_SECONDS = 60
_SAMPLE = 200


def check_house(home: Path, port_offset: int) -> Iterator[Finding]:
    """Yield the findings about what runs on `home`; without a database only that there is none."""
    stack = folder.running_stack(home)
    url = os.environ.get("DATABASE_URL") or (stack or {}).get("database_url")
    if not url:
        seen = "still starting" if folder.is_held(home) else "nothing runs on this data folder"
        yield warn("database", seen, "barsmith up")
        return
    import psycopg

    try:
        with _connected(url) as connection:
            yield _database(connection)
            yield _clock_skew(connection)
            yield _migrations(connection)
            yield _workers(connection)
            yield _lake_files(connection, os.environ.get("BARSMITH_LAKE_URL") or str(home / "lake"))
    except psycopg.OperationalError as error:
        yield fail("database", str(error).strip().splitlines()[0], "start it, or correct DATABASE_URL")
    yield from _services((stack or {}).get("urls") or addresses(port_offset))


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    import psycopg

    with psycopg.connect(url, connect_timeout=5, autocommit=True, application_name="barsmith doctor") as connection:
        yield connection


def _database(connection: psycopg.Connection[Any]) -> Finding:
    version = connection.info.server_version // 10_000
    if version < 15:
        return fail("database", f"Postgres {version}", "use Postgres 15 or newer")
    return ok("database", f"Postgres {version}")


def _clock_skew(connection: psycopg.Connection[Any]) -> Finding:
    before = time.time()
    (database_seconds,) = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone() or (0,)
    skew = timedelta(seconds=database_seconds - (before + time.time()) / 2)
    seen = f"database {skew.total_seconds():+.3f} s from this machine"
    if abs(skew) > _MAX_SKEW:
        return warn("clock", seen, "set both clocks by NTP; the queue goes by the database's")
    return ok("clock", seen)


def _migrations(connection: psycopg.Connection[Any]) -> Finding:
    """Every migration of the code has been applied, unchanged."""
    from shared.storage.migrate import migrations_of

    # a service's schema has the service's name
    wanted = {"lake": "shared.storage", "jobs": "shared.jobs", **SERVICES}
    missing = []
    for schema, package in wanted.items():
        applied = _applied(connection, schema)
        for migration in migrations_of(package):
            if applied.get(migration.number) != migration.sha256:
                state = "changed after it was applied" if migration.number in applied else "not applied"
                missing.append(f"{schema} {migration.number:04d} {state}")
    if missing:
        return fail("migrations", "; ".join(missing[:3]), "start the services: each applies its own")
    return ok("migrations", f"{len(wanted)} schemas up to date")


def _applied(connection: psycopg.Connection[Any], schema: str) -> dict[int, str]:
    from psycopg import sql

    (exists,) = connection.execute("select to_regclass(%s)", [f"{schema}.migration"]).fetchone() or (None,)
    if exists is None:
        return {}
    query = sql.SQL("select number, sha256 from {}.migration").format(sql.Identifier(schema))
    return dict(connection.execute(query).fetchall())


def _workers(connection: psycopg.Connection[Any]) -> Finding:
    (exists,) = connection.execute("select to_regclass('jobs.worker')").fetchone() or (None,)
    if exists is None:
        return fail("workers", "the queue's tables are missing", "barsmith up")
    rows = connection.execute("select id, extract(epoch from now() - last_seen)::float8 from jobs.worker").fetchall()
    alive = [name for name, age in rows if age < _SILENT_SECONDS]
    (waiting,) = connection.execute("select count(*) from jobs.job where state = 'PENDING'").fetchone() or (0,)
    seen = f"{len(alive)} alive, {waiting} jobs waiting"
    if not alive:
        return (fail if waiting else warn)("workers", seen, "barsmith worker")
    return ok("workers", seen)


def _lake_files(connection: psycopg.Connection[Any], root: str) -> Finding:
    """Files that the manifest names exist: a sample of the newest."""
    import fsspec

    (exists,) = connection.execute("select to_regclass('lake.file')").fetchone() or (None,)
    if exists is None:
        return warn("lake", "no manifest yet", "barsmith up")
    rows = connection.execute(
        "select dataset, partition, content_hash, byte_count from lake.file"
        " where superseded_at is null order by id desc limit %s",
        [_SAMPLE],
    ).fetchall()
    files, base = fsspec.url_to_fs(root)
    missing = [
        path
        for dataset, partition, content_hash, size in rows
        if not files.exists(path := f"{base}/{dataset}/{partition}/{content_hash}.parquet") or files.size(path) != size
    ]
    if missing:
        seen = f"{len(missing)} of the newest {len(rows)} files are missing or cut short, e.g. {missing[0]}"
        return fail("lake", seen, "restore the data folder from its backup, or ingest that span again")
    return ok("lake", f"the newest {len(rows)} files are there")


def _services(urls: dict[str, str]) -> Iterator[Finding]:
    from shared.errors import BarsmithError
    from shared.web.client import ServiceClient

    for name, url in urls.items():
        try:
            with ServiceClient(name, url) as client:
                client.get("/readyz")
        except BarsmithError as error:
            yield fail(f"service {name}", error.detail, "barsmith up; its log lines say why")
        else:
            yield ok(f"service {name}", url)
