"""Everything the optimization service reads and writes: its registry, what the lake holds, the models to try."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from optimization_service.domain.batch import Batch, Pair
from optimization_service.domain.records import BatchRecord, Cell, Member, Spread, Step, Trial
from shared.contracts.datasets import BARS_1M, PREDICTIONS
from shared.storage.lake import Lake
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries
from shared.web.client import ServiceClient

_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class TrialFilter:
    """Which rows of the leaderboard, in which order, which page. None leaves a filter out."""

    batch: str | None = None
    symbol: str | None = None
    model: str | None = None
    side: str | None = None
    threshold: float | None = None
    hold_bars: int | None = None
    min_trades: int = 0
    sort: str = "sharpe"
    descending: bool = True
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model as the training service's registry describes it.

    chosen_until : end of the days it was made to predict, on which it was chosen; None when it was made without any
    ic : its out-of-sample rank correlation inside its training
    """

    fingerprint: str
    symbol: str
    trained_until: datetime
    chosen_until: datetime | None
    ic: float | None


class Models:
    """The training service's registry."""

    def __init__(self, training: ServiceClient) -> None:
        self._training = training

    def one(self, fingerprint: str) -> Candidate:
        """Return a model. Raises NotFound, and Unavailable when the training service does not answer."""
        return _candidate(self._training.get(f"/models/{fingerprint}"))

    def best(self, count: int) -> list[Candidate]:
        """Return the `count` models of the highest out-of-sample rank correlation; those without one come last.

        A pruned model counts with the figure of the model its line began with: its features were chosen on the
        very folds that its own figure comes from, which flatters it.
        """
        items: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self._training.get("/models", page=page, per_page=_PAGE)
            items.extend(answer["items"])
            if not answer["items"] or len(items) >= answer["total"]:
                break
            page += 1
        by_name = {item["fingerprint"]: item for item in items}
        found = [replace(_candidate(item), ic=_root(item, by_name)["metrics"].get("ic")) for item in items]
        found.sort(key=lambda model: (model.ic is None, -(model.ic or 0.0), model.fingerprint))
        return found[:count]


class Store:
    def __init__(self, database: Database, lake: Lake) -> None:
        self._database = database
        self._lake = lake
        self._queries = Queries.of("optimization_service")

    # series -------------------------------------------------------------------------------------------------------

    def bars_end(self, symbol: str) -> datetime | None:
        """Return the moment after a symbol's last stored bar, None when it has none."""
        stored = self._lake.partitions(BARS_1M, symbol=symbol)
        last = max((part.max_ts for part in stored if part.max_ts is not None), default=None)
        return None if last is None else last + timedelta(minutes=1)

    def lacks_predictions(self, pair: Pair) -> bool:
        """Return whether some session of the pair's window has bars but no prediction.

        Sessions and not bars: a feature's warm-up leaves the first minutes of a session unsaid for ever.
        """
        span = {"start": pair.window.start_utc, "end": pair.window.end_utc}
        bars = self._lake.snapshot(BARS_1M, symbol=pair.symbol, start=span["start"], end=span["end"])
        said = self._lake.snapshot(
            PREDICTIONS, model=pair.model, symbol=pair.symbol, start=span["start"], end=span["end"]
        )
        return not _days(self._lake.read(bars, ["ts"])) <= _days(self._lake.read(said, ["ts"]))

    # registry -----------------------------------------------------------------------------------------------------

    def transaction(self) -> Any:  # noqa: ANN401 - psycopg's own context manager, handed through
        return self._database.transaction()

    def lock(self, conn: Connection, fingerprint: str) -> None:
        """Let no one else start the same batch until the transaction ends."""
        self._queries.value(conn, "lock_batch", fingerprint=fingerprint)

    def insert(self, conn: Connection, batch: Batch, job_id: int) -> None:
        self._queries.run(
            conn,
            "insert_batch",
            fingerprint=batch.fingerprint,
            definition=batch.model_dump(mode="json"),
            pairs=len(batch.pairs),
            settings=len(batch.settings),
            job_id=job_id,
        )

    def batch(self, conn: Connection, fingerprint: str) -> tuple[BatchRecord, list[Step]] | None:
        record = self._queries.row(conn, "batch", BatchRecord, fingerprint=fingerprint)
        return None if record is None else (record, self._steps(conn, record))

    def batches(self, limit: int, offset: int) -> tuple[list[tuple[BatchRecord, list[Step]]], int]:
        with self._database.transaction() as conn:
            records = self._queries.rows(conn, "batches", BatchRecord, limit=limit, offset=offset)
            total = self._queries.value(conn, "count_batches")
            return [(record, self._steps(conn, record)) for record in records], total

    def members(self, batch: str) -> list[Member]:
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "members", Member, batch=batch)

    def trials(self, wanted: TrialFilter) -> tuple[list[Trial], int]:
        values = asdict(wanted)
        order = {"sort": values.pop("sort"), "sign": -1.0 if values.pop("descending") else 1.0}
        page = {"limit": values.pop("limit"), "offset": values.pop("offset")}
        with self._database.transaction() as conn:
            found = self._queries.rows(conn, "trials", Trial, **values, **order, **page)
            return found, self._queries.value(conn, "count_trials", **values)

    def spread(self, batch: str | None) -> Spread:
        with self._database.transaction() as conn:
            found = self._queries.row(conn, "spread", Spread, batch=batch)
        return found or Spread(trials=0, best_sharpe=None, sharpe_sd=None)

    def grid(self, batch: str) -> list[Cell]:
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "grid", Cell, batch=batch)

    def _steps(self, conn: Connection, record: BatchRecord) -> list[Step]:
        return self._queries.rows(conn, "steps", Step, fingerprint=record.fingerprint, job_id=record.job_id)


def _candidate(item: dict[str, Any]) -> Candidate:
    return Candidate(
        fingerprint=item["fingerprint"],
        symbol=item["symbol"],
        trained_until=datetime.fromisoformat(item["train"]["end"]),
        chosen_until=datetime.fromisoformat(item["predict"]["end"]) if item.get("predict") else None,
        ic=item["metrics"].get("ic"),
    )


def _root(item: dict[str, Any], by_name: dict[str, dict[str, Any]]) -> dict[str, Any]:
    while (parent := by_name.get(item.get("parent") or "")) is not None:
        item = parent
    return item


def _days(stamps: pl.DataFrame) -> set[Any]:
    # the UTC date names a New York session: regular hours never cross midnight UTC
    return set(stamps["ts"].dt.date().unique().to_list())
