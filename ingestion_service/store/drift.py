"""How providers' answers drifted from their documents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict

from ingestion_service.domain.drift import Drift, SeenDrift
from shared.jobs.model import storable
from shared.storage.postgres import Database
from shared.storage.queries import Queries

_log = logging.getLogger(__name__)


class DriftStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = Queries.of("ingestion_service")

    def record(self, found: Sequence[Drift]) -> None:
        """Keep what was found and warn of it; what is known already is counted and its last sight moved."""
        for drift in found:
            _log.warning("a provider's answer is not as documented", extra={"action": "drift", **asdict(drift)})
        if found:
            rows = [
                asdict(drift) | {"field": storable(drift.field), "example": storable(drift.example)} for drift in found
            ]
            with self._database.transaction() as conn:
                self._queries.run_many(conn, "record_drift", rows)

    def all(self) -> list[SeenDrift]:
        """Return all drift, newest first."""
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "drift", SeenDrift)
