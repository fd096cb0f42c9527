"""Refused rows that a user judged good."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import polars as pl

from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.spans import Span
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries

_SCHEMA = pl.Schema({"symbol": pl.String, **RAW_SCHEMA})


@dataclass(frozen=True, kw_only=True)
class Release:
    """A row that was released: its values, why it had been refused, and who says why it is good."""

    symbol: str
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    source: str
    reason: str
    released_by: str
    why: str
    released_at: datetime


class ReleaseStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = Queries.of("ingestion_service")

    def all(self, symbol: str | None = None, span: Span | None = None) -> list[Release]:
        """Return the releases of one symbol, or of all, within `span`, in order of symbol and minute."""
        start, end = (span.start, span.end) if span else (None, None)
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "released", Release, symbol=symbol, start=start, end=end)

    def rows(self, symbol: str | None = None, span: Span | None = None) -> pl.DataFrame:
        """Return the same rows' symbol and values (RAW_SCHEMA)."""
        return pl.DataFrame([asdict(one) for one in self.all(symbol, span)], schema=_SCHEMA)

    def record(self, conn: Connection, rows: pl.DataFrame) -> None:
        """Note, in the caller's transaction, that `rows` (columns of a Release, without its time) were released."""
        self._queries.run_many(conn, "record_release", rows.to_dicts())
