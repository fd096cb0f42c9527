"""The tables of the service: batches, and the trials of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from optimization_service.domain.batch import Batch
from optimization_service.domain.columns import SOURCES
from optimization_service.domain.records import BatchRecord, Member, Score, Spread, Step, Terms, Trial
from shared.errors import NotFound
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries


@dataclass(frozen=True, kw_only=True)
class TrialFilter:
    """Which rows of the leaderboard, in which order, which page. None leaves a filter out.

    wanted : fields of the setting and the value each must have
    bounds : columns of numbers and the least and the largest value allowed, None for no bound
    """

    batch: str | None = None
    symbol: str | None = None
    model: str | None = None
    terms: str | None = None
    wanted: Mapping[str, Any] = field(default_factory=dict[str, Any])
    bounds: Mapping[str, tuple[float | None, float | None]] = field(
        default_factory=dict[str, tuple[float | None, float | None]]
    )
    sort: str = "sharpe"
    descending: bool = True
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True)
class _Listed:
    """A row of the leaderboard, and how many rows the filters leave."""

    trial: Trial
    total: int

    @classmethod
    def of(cls, total: int, **row: Any) -> _Listed:  # noqa: ANN401 - a row's columns
        return cls(Trial(**row), total)


class Registry:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = Queries.of("optimization_service")

    def transaction(self) -> AbstractContextManager[Connection]:
        return self._database.transaction()

    # batches ------------------------------------------------------------------------------------------------------

    def lock(self, conn: Connection, fingerprint: str) -> None:
        """Let no one else start the same batch until the transaction ends."""
        self._queries.value(conn, "lock_batch", fingerprint=fingerprint)

    def start(self, conn: Connection, batch: Batch, job_id: int) -> None:
        """Record a batch that begins, or begins again: what could not be simulated before is tried anew."""
        name = batch.fingerprint
        self._queries.run(conn, "forget_failures", fingerprint=name)
        self._queries.run(
            conn,
            "insert_batch",
            fingerprint=name,
            definition=batch.model_dump(mode="json"),
            pairs=len(batch.pairs),
            trials=batch.trials,
            job_id=job_id,
        )

    def definition(self, fingerprint: str) -> Batch:
        """Return a batch as it was asked. Raises NotFound."""
        with self._database.transaction() as conn:
            found = self._queries.value(conn, "definition", fingerprint=fingerprint)
        if found is None:
            raise NotFound(f"there is no batch {fingerprint}")
        return Batch.model_validate(found)

    def batch(self, conn: Connection, fingerprint: str) -> tuple[BatchRecord, list[Step]] | None:
        record = self._queries.row(conn, "batches", BatchRecord, fingerprint=fingerprint, limit=1, offset=0)
        return None if record is None else (record, self._steps(conn, record))

    def batches(self, limit: int, offset: int) -> tuple[list[tuple[BatchRecord, list[Step]]], int]:
        with self._database.transaction() as conn:
            records = self._queries.rows(conn, "batches", BatchRecord, fingerprint=None, limit=limit, offset=offset)
            total = self._queries.value(conn, "count_batches")
            return [(record, self._steps(conn, record)) for record in records], total

    def members(self, name: str, batch: Batch) -> list[Member]:
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "members", Member, batch=name, settings=batch.space.settings)

    def broken(self, batch: str) -> list[int]:
        """Return the pairs of a batch of which something could not be simulated."""
        with self._database.transaction() as conn:
            return [row["pair"] for row in self._queries.rows(conn, "broken_pairs", dict, batch=batch)]

    def live_jobs(self, name: str, job_id: int) -> list[int]:
        """Return the jobs of a batch that have not ended, its own before those they wait for."""
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "live_jobs", dict, fingerprint=name, job_id=job_id)
        return [row["id"] for row in found]

    def _steps(self, conn: Connection, record: BatchRecord) -> list[Step]:
        return self._queries.rows(conn, "steps", Step, fingerprint=record.fingerprint, job_id=record.job_id)

    # trials -------------------------------------------------------------------------------------------------------

    def trials(self, wanted: TrialFilter) -> tuple[list[Trial], int]:
        """Return a page of the leaderboard and how many rows the filters leave."""
        found = self._page(wanted, wanted.limit, wanted.offset)
        if found or wanted.offset == 0:
            return [row.trial for row in found], found[0].total if found else 0
        # a page behind the last: the rows are counted all the same
        first = self._page(wanted, 1, 0)
        return [], first[0].total if first else 0

    def _page(self, wanted: TrialFilter, limit: int, offset: int) -> list[_Listed]:
        exact = [{"name": name, "value": value} for name, value in wanted.wanted.items()]
        bounds = [{"name": name, "low": low, "high": high} for name, (low, high) in wanted.bounds.items()]
        with self._database.transaction() as conn:
            return self._queries.rows(
                conn,
                "trials",
                _Listed.of,  # pyright: ignore[reportArgumentType] - a maker is as good as a class here
                batch=wanted.batch,
                symbol=wanted.symbol,
                model=wanted.model,
                terms=wanted.terms,
                wanted=Jsonb(exact),
                bounds=Jsonb(bounds),
                source=SOURCES[wanted.sort],
                sort=wanted.sort,
                descending=wanted.descending,
                limit=limit,
                offset=offset,
            )

    def terms(self, batch: str | None) -> list[Terms]:
        """Return the groups of trials that can be compared, the largest first."""
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "terms", Terms, batch=batch)

    def spread(self, batch: str | None, terms: str | None = None) -> Spread:
        with self._database.transaction() as conn:
            if batch is None:
                found = self._queries.row(conn, "spread_of_all", Spread, terms=terms)
            else:
                found = self._queries.row(conn, "spread", Spread, batch=batch)
        return found or Spread(trials=0, best_sharpe=None, sharpe_sd=None)

    def scores(self, batch: str, figure: str) -> list[Score]:
        """Return one figure of each of a batch's trials, in the order they were chosen."""
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "scores", Score, batch=batch, figure=figure)

    def ranked_runs(self, batch: str, limit: int) -> list[tuple[str, int]]:
        """Return sweep and index of each of a batch's trials that has figures, in the order they were chosen."""
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "ranked_runs", dict, batch=batch, limit=limit)
        return [(row["sweep"], row["index"]) for row in found]
