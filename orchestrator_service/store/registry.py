"""Runs, lineage, ledger, looks and promotions in Postgres. Transitions are the effect functions of the migrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator_service.domain.holdout import Vintage, account_for
from orchestrator_service.domain.plan import SearchPlan
from orchestrator_service.domain.records import (
    Account,
    KnownRequest,
    Look,
    Model,
    Progress,
    Promotion,
    Run,
    RunState,
    Trial,
)
from orchestrator_service.domain.windows import Periods
from shared.contracts.identifiers import canonical_json
from shared.contracts.messages import Train
from shared.errors import Conflict, NotFound
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run to be started: its fingerprint, and everything that decides it."""

    id: str
    symbol: str
    plan: SearchPlan
    periods: Periods
    data_version: str
    obstacle: str | None
    first: Sequence[Train]


class Registry:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = Queries.of("orchestrator_service")

    # requests and runs --------------------------------------------------------------------------------------------

    def request(self, key: str, body: str) -> list[str] | None:
        """Return the runs that `key` stands for, or None. Raises Conflict when it was used for another body."""
        with self._database.transaction() as conn:
            return self._request(conn, key, body)

    def start(
        self,
        key: str | None,
        body: str,
        runs: Sequence[NewRun],
        enqueue: Callable[[Connection, str], int],
    ) -> list[str]:
        """Write all `runs` and enqueue their first jobs, or nothing; return the ids of those that began.

        A run whose fingerprint is there already is not begun again, unless it failed or was cancelled.
        """
        begun: list[str] = []
        with self._database.transaction() as conn:
            if key is not None:
                self._queries.value(conn, "lock_key", key=key)
                # the same request may have come in twice at once: the second finds the first one's runs
                if self._request(conn, key, body) is not None:
                    return []
                ids = [run.id for run in runs]
                self._queries.run(conn, "insert_request", key=key, body=body, runs=ids)
            for run in runs:
                if self._insert(conn, run):
                    self._queries.run(conn, "set_job", id=run.id, job_id=enqueue(conn, run.id))
                    begun.append(run.id)
        return begun

    def _insert(self, conn: Connection, run: NewRun) -> bool:
        row = {
            "plan": canonical_json(run.plan),
            "periods": canonical_json(run.periods),
            "data_version": run.data_version,
            "obstacle": run.obstacle,
        }
        if not self._queries.run(conn, "insert_run", id=run.id, symbol=run.symbol, **row):
            return bool(self._queries.run(conn, "restart_run", id=run.id))
        models = [
            {"run": run.id, "slot": slot, "request": request.model_dump_json()}
            for slot, request in enumerate(run.first)
        ]
        self._queries.run_many(conn, "insert_model", models)
        return True

    def _request(self, conn: Connection, key: str, body: str) -> list[str] | None:
        known = self._queries.row(conn, "request", KnownRequest, key=key)
        if known is None:
            return None
        if known.body != body:
            raise Conflict(
                f"key {key!r} was used for another request: use a new key, or send exactly what was sent before"
            )
        return known.runs

    def run(self, run_id: str) -> Run:
        """Return one run. Raises NotFound."""
        with self._database.transaction() as conn:
            run = self._queries.row(conn, "run", Run, id=run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        return run

    def runs(
        self, *, state: str | None = None, symbol: str | None = None, limit: int, offset: int = 0
    ) -> tuple[list[Run], int]:
        """Return a page of runs, newest first, and how many there are."""
        filters = {"state": state, "symbol": symbol}
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "runs", Run, **filters, limit=limit, offset=offset)
            return found, self._queries.value(conn, "count_runs", **filters)

    def end(self, run_id: str, state: RunState, reason: str) -> None:
        """End a running run; one that ended already stays as it is."""
        with self._database.transaction() as conn:
            self._queries.value(conn, "end_run", id=run_id, state=state, reason=reason)

    def live_work(self, run_id: str) -> list[int]:
        """Return the jobs of other services that the run waits for."""
        with self._database.transaction() as conn:
            return [row.id for row in self._queries.rows(conn, "live_work", _Id, run=run_id)]

    def last_step(self, run_id: str) -> int | None:
        """Return the newest of the run's own jobs."""
        with self._database.transaction() as conn:
            return self._queries.value(conn, "last_step", run=run_id)

    # lineage and ledger -------------------------------------------------------------------------------------------

    def models(self, run_id: str) -> list[Model]:
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "models", Model, run=run_id)

    def trials(self, run_id: str) -> list[Trial]:
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "trials", Trial, run=run_id)

    def progress(self, run_id: str) -> list[Progress]:
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "progress", Progress, run=run_id)

    def lineage(self, fingerprint: str) -> list[Model]:
        """Return a model, its ancestors and its descendants in every run that had it. Raises NotFound."""
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "lineage", Model, fingerprint=fingerprint)
        if not found:
            raise NotFound(f"there is no model {fingerprint} in any run")
        return found

    # sealed data --------------------------------------------------------------------------------------------------

    def account(self, wanted: Vintage) -> Account:
        """Return the vintage that a look at `wanted` would be charged to, and what it has borne; opens none."""
        with self._database.transaction() as conn:
            return self._account(conn, wanted)

    def open_account(self, wanted: Vintage) -> Account:
        """Return the vintage that a look at `wanted` is charged to, opened now if there was none."""
        with self._database.transaction() as conn:
            # two runs of overlapping dates must not open a vintage each
            self._queries.value(conn, "lock_symbol", symbol=wanted.symbol)
            account = self._account(conn, wanted)
            row = {name: getattr(wanted, name) for name in ("id", "symbol", "data_version", "alpha", "looks")}
            if account.vintage is wanted:
                window, costs = wanted.window.model_dump_json(), wanted.costs.model_dump_json()
                self._queries.run(conn, "insert_vintage", **row, window=window, costs=costs)
        return account

    def _account(self, conn: Connection, wanted: Vintage) -> Account:
        vintage = account_for(wanted, self._queries.rows(conn, "vintages", Vintage, symbol=wanted.symbol))
        return Account(vintage, self._queries.value(conn, "looks_used", vintage=vintage.id))

    def look(self, run_id: str) -> Look | None:
        with self._database.transaction() as conn:
            return self._queries.row(conn, "look_of_run", Look, run=run_id)

    def searched_by(self, run: Run) -> str | None:
        """Return another run that trained or chose on the sealed days of `run`, None when there is none."""
        window = run.periods.confirm.window
        span = {"start": window.start_utc, "end": window.end_utc}
        with self._database.transaction() as conn:
            return self._queries.value(conn, "searched_by", symbol=run.symbol, run=run.id, **span)

    def nominated_models(self, symbol: str) -> set[str]:
        """Return the models that looks were logged for, in all vintages of `symbol`."""
        with self._database.transaction() as conn:
            return {row.model for row in self._queries.rows(conn, "nominated_models", _Name, symbol=symbol)}

    def promotions(self, *, run: str | None = None, limit: int, offset: int = 0) -> tuple[list[Promotion], int]:
        """Return a page of promotions, newest first, and how many there are."""
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "promotions", Promotion, run=run, limit=limit, offset=offset)
            return found, self._queries.value(conn, "count_promotions", run=run)


@dataclass(frozen=True)
class _Id:
    id: int


@dataclass(frozen=True)
class _Name:
    model: str
