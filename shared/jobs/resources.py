"""What every process of a service holds: pool, lake, queue, clock, with all tables in place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.clock import Clock, SystemClock
from shared.jobs.queue import Queue
from shared.settings import ServiceSettings
from shared.storage.lake import Lake, migrate_lake
from shared.storage.migrate import migrate
from shared.storage.postgres import Database


@dataclass(frozen=True)
class Resources:
    settings: ServiceSettings
    database: Database
    lake: Lake
    queue: Queue
    clock: Clock


@contextmanager
def open_resources(settings: ServiceSettings, package: str, schema: str) -> Iterator[Resources]:
    """Open the pool and bring the lake's, the queue's and the package's own tables up to date.

    Raises Unavailable when Postgres does not answer, Conflict when a migration was changed after it was applied.
    """
    database = Database(settings.database_url.get_secret_value(), application_name=settings.name)
    try:
        clock = SystemClock()
        queue = Queue(database)
        queue.migrate()
        migrate_lake(database)
        migrate(database, schema, package)
        yield Resources(
            settings=settings,
            database=database,
            lake=Lake(database, settings.lake_root, clock),
            queue=queue,
            clock=clock,
        )
    finally:
        database.close()
