"""The tables of the service: sweeps, runs, the series that users brought."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from psycopg.types.json import Jsonb

from shared.storage.postgres import Database
from shared.storage.queries import Queries
from simulation_service.domain.records import Run, SignalsRecord, StressRecord, SweepRecord


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs, in which order, which page of them. None leaves a filter out."""

    symbol: str | None = None
    model: str | None = None
    sweep: str | None = None
    evidence: str | None = None
    min_trades: int = 0
    min_sharpe: float | None = None
    sort: str = "created_at"
    descending: bool = True
    limit: int = 100
    offset: int = 0


class Registry:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = Queries.of("simulation_service")

    def sweep(self, fingerprint: str) -> SweepRecord | None:
        with self._database.transaction() as conn:
            return self._queries.row(conn, "sweep", SweepRecord, fingerprint=fingerprint)

    def sweeps(
        self, *, symbol: str | None, model: str | None, limit: int, offset: int
    ) -> tuple[list[SweepRecord], int]:
        filters = {"symbol": symbol, "model": model}
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "sweeps", SweepRecord, **filters, limit=limit, offset=offset)
            return found, self._queries.value(conn, "count_sweeps", **filters)

    def keep_sweep(self, result: dict[str, Any]) -> None:
        """Store a simulated sweep as the effect of its job would have."""
        with self._database.transaction() as conn:
            self._queries.run(conn, "keep_sweep", result=Jsonb(result))

    def sweep_runs(self, sweep: str) -> list[Run]:
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "sweep_runs", Run, sweep=sweep)

    def run(self, sweep: str, index: int) -> Run | None:
        with self._database.transaction() as conn:
            return self._queries.row(conn, "run", Run, sweep=sweep, index=index)

    def runs(self, wanted: RunFilter) -> tuple[list[Run], int]:
        values = asdict(wanted)
        page = {name: values.pop(name) for name in ("sort", "descending", "limit", "offset")}
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "runs", Run, **values, **page)
            return found, self._queries.value(conn, "count_runs", **values)

    def stress(self, sweep: str, index: int) -> StressRecord | None:
        with self._database.transaction() as conn:
            return self._queries.row(conn, "stress", StressRecord, sweep=sweep, index=index)

    def keep_signals(self, **record: object) -> None:
        """Store a record of signals, all of its columns but `created_at`."""
        with self._database.transaction() as conn:
            self._queries.run(conn, "keep_signals", **record)

    def signals(self, fingerprint: str) -> SignalsRecord | None:
        with self._database.transaction() as conn:
            return self._queries.row(conn, "signals", SignalsRecord, fingerprint=fingerprint)

    def all_signals(self, *, symbol: str | None, limit: int, offset: int) -> tuple[list[SignalsRecord], int]:
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "list_signals", SignalsRecord, symbol=symbol, limit=limit, offset=offset)
            return found, self._queries.value(conn, "count_signals", symbol=symbol)
