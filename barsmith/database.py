"""The stack's database: the one DATABASE_URL names, or an embedded Postgres that is kept running."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from barsmith import folder
from shared.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from shared.storage.embedded import EmbeddedPostgres
    from shared.storage.lake import Lake

_MAX_DEATHS = 5
_CALM_SECONDS = 60.0


class StackDatabase:
    """`with StackDatabase(home, say) as database: database.url`; call `tick` now and then."""

    def __init__(self, home: Path, say: Callable[[str, str], None], environ: Mapping[str, str] = os.environ) -> None:
        self._home = home
        self._say = say
        self.url = environ.get("DATABASE_URL", "")
        self._postgres: EmbeddedPostgres | None = None
        self._deaths: list[float] = []

    @property
    def pid(self) -> int | None:
        """Process id of the embedded server; None when the database is somebody else's."""
        return self._postgres.pid if self._postgres else None

    def __enter__(self) -> StackDatabase:
        if not self.url:
            from shared.storage.embedded import EmbeddedPostgres

            self._postgres = EmbeddedPostgres(self._home / "postgres")
            self.url = self._postgres.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._postgres is not None:
            self._postgres.stop()

    def tick(self) -> None:
        """Start the embedded server again if it died; raise Unavailable when that happens again and again."""
        if self._postgres is None or self._postgres.pid is not None:
            return
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < _CALM_SECONDS] + [now]
        if len(self._deaths) >= _MAX_DEATHS:
            raise Unavailable(
                f"the embedded Postgres died {_MAX_DEATHS} times within {_CALM_SECONDS:.0f} s: giving up;"
                f" {self._postgres.log} says why"
            )
        self._say("postgres", "died: starting it again")
        self._postgres.start()


@contextmanager
def reachable_database(home: Path, environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Yield the database's address and the lake's root: of the stack that runs on `home`, else of its resting folder.

    Raises NotFound when there is neither a DATABASE_URL nor a database in the folder.
    """
    lake_root = environ.get("BARSMITH_LAKE_URL") or str(home / "lake")
    noted = (folder.running_stack(home) or {}).get("database_url")
    if url := environ.get("DATABASE_URL") or noted:
        yield url, lake_root
        return
    resting = home / "postgres"
    if not resting.exists():
        raise NotFound(f"there is no database in {home}: name another --home, or start one with barsmith up")
    from shared.storage.embedded import EmbeddedPostgres

    with EmbeddedPostgres(resting) as url:
        yield url, lake_root


@contextmanager
def reachable_lake(home: Path) -> Iterator[Lake]:
    """Yield the lake of a data folder, whether a stack runs on it or not. Raises as `reachable_database`."""
    from shared.clock import SystemClock
    from shared.storage.lake import Lake
    from shared.storage.postgres import Database

    with reachable_database(home) as (url, root):
        database = Database(url, application_name="barsmith")
        try:
            yield Lake(database, root, SystemClock())
        finally:
            database.close()
