"""The retention agent, and what its rules would remove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from ingestion_service.domain.agents import RetentionRules
from ingestion_service.domain.spans import Span
from ingestion_service.store.agents import AgentStore
from ingestion_service.store.asks import AskStore
from ingestion_service.use_cases.agents import Ended, Run
from shared.clock import Clock
from shared.contracts.datasets import ALL_DATASETS, BARS_1D, BARS_1M, QUARANTINE, Dataset
from shared.errors import InvalidInput
from shared.jobs.queue import Queue
from shared.storage.lake import Lake, PartitionInfo
from shared.storage.postgres import Connection

#: The datasets that rules may name: those this service writes, of which it knows what they are for.
OWN = {dataset.name: dataset for dataset in ALL_DATASETS if dataset.writer == "ingestion" and "ts" in dataset.schema}


@dataclass(frozen=True, kw_only=True)
class Going:
    """What a rule removes: so many things and bytes. `bytes` of what the database holds are not counted."""

    rule: str
    what: str
    count: int
    bytes: int


class Retention:
    """Removes nothing that no rule names. Of what is stored by month, whole months: one row to keep keeps its month.

    Of daily bars, single days. Of the quarantine, single rows by when they were refused: it may be today that a row of
    years ago was. What was removed counts as never asked for, so that it can be fetched again.
    """

    def __init__(self, store: AgentStore, asks: AskStore, lake: Lake, queue: Queue, clock: Clock) -> None:
        self._store = store
        self._asks = asks
        self._lake = lake
        self._queue = queue
        self._clock = clock

    def rules(self) -> RetentionRules:
        return RetentionRules.model_validate(self._store.options("retention"))

    def set_rules(self, rules: RetentionRules) -> None:
        """Keep the rules for the agent's next run. Raises InvalidInput for a dataset they may not name."""
        _check_names(rules)
        self._store.set_options("retention", rules.model_dump())

    def preview(self, rules: RetentionRules | None = None) -> list[Going]:
        """Return what a run would remove now: a dry run. Removes nothing. Raises InvalidInput as `set_rules` does."""
        rules = rules or self.rules()
        _check_names(rules)
        going: list[Going] = []
        for name, days in rules.datasets.items():
            rule = f"{name}: keep {days:g} days"
            if name == QUARANTINE.name:
                count = self._refused_before(days).height
                going.append(Going(rule=rule, what="rows that were refused before", count=count, bytes=0))
                continue
            old = self._old(OWN[name], days)
            if not _by_month(OWN[name]):
                count = sum(self._rows_before(OWN[name], days, file) for file in old)
                going.append(Going(rule=rule, what="rows of days before", count=count, bytes=0))
                continue
            going.append(
                Going(
                    rule=rule,
                    what=f"{sum(file.row_count for file in old):,} rows in months that have no newer one",
                    count=len(old),
                    bytes=sum(file.byte_count for file in old),
                )
            )
        if rules.superseded_days is not None:
            usage = self._lake.usage(timedelta(days=rules.superseded_days))
            going.append(
                Going(
                    rule=f"files superseded for {rules.superseded_days:g} days",
                    what="files of all datasets; files that no commit names go with them",
                    count=sum(one.old_files for one in usage),
                    bytes=sum(one.old_bytes for one in usage),
                )
            )
        if rules.jobs_days is not None:
            count = self._queue.forgettable(self._before(rules.jobs_days))
            going.append(
                Going(rule=f"jobs ended {rules.jobs_days:g} days ago", what="ended jobs", count=count, bytes=0)
            )
        return going

    # --- in a worker

    def run(self, run: Run) -> Ended:
        """Remove what the rules name. Files of removed months go with a later run, when they are superseded enough.

        Whether a month is old is looked at once more as it is removed: a row may have come since it was listed.
        """
        rules, done = self.rules(), dict[str, object]()
        for name, days in rules.datasets.items():
            dataset, months, rows = OWN[name], 0, 0
            for file in self._old(dataset, days):
                if not run.goes_on(0.1, f"{name} {file.partition}"):
                    return Ended(done)
                commit = self._lake.rewrite(
                    dataset,
                    self._kept(dataset, days),
                    precondition=partial(self._fence, run, dataset, file, self._before(days)),
                    **file.partition_values,
                )
                months += len(commit.changed)
                rows -= commit.rows_added
            done[name] = {"months_removed": months} if _by_month(dataset) else {"rows_removed": rows}
        if rules.superseded_days is not None and run.goes_on(0.5, "sweeps the lake"):
            swept = self._lake.sweep(timedelta(days=rules.superseded_days))
            done["swept"] = {"superseded": swept.superseded, "orphans": swept.orphans, "bytes": swept.bytes}
        if rules.jobs_days is not None and run.goes_on(0.9, "forgets ended jobs"):
            done["jobs_forgotten"] = self._queue.forget(self._before(rules.jobs_days))
        return Ended(done)

    def _old(self, dataset: Dataset, days: float) -> list[PartitionInfo]:
        files = self._lake.partitions(dataset)
        if dataset is QUARANTINE:
            touched = set(self._refused_before(days)["symbol"])
            return [file for file in files if file.partition_values["symbol"] in touched]
        before = self._before(days)
        if not _by_month(dataset):
            return [file for file in files if file.min_ts is not None and file.min_ts < before]
        return [file for file in files if file.max_ts is not None and file.max_ts < before]

    def _rows_before(self, dataset: Dataset, days: float, file: PartitionInfo) -> int:
        snapshot = self._lake.snapshot(dataset, end=self._before(days), symbol=file.partition_values["symbol"])
        return self._lake.read(snapshot, ["ts"]).height

    def _fence(self, run: Run, dataset: Dataset, file: PartitionInfo, before: datetime, conn: Connection) -> None:
        """Commit only as the run's own job, and with it that nobody was asked for what goes."""
        run.ctx.still_mine(conn)
        symbol = file.partition_values["symbol"]
        if dataset is BARS_1D:
            self._asks.forget_days(conn, symbol, before)
        elif dataset is BARS_1M:
            first = datetime.fromisoformat(f"{file.partition_values['month']}-01T00:00:00+00:00")
            self._asks.forget_answers(conn, symbol, Span(first, _next_month(first)))

    def _kept(self, dataset: Dataset, days: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
        """Return what is to be left of a file's rows: of a month all of them where one is to be kept."""
        before = self._before(days)
        if dataset is QUARANTINE:
            return lambda rows: rows.filter(pl.col("received") >= before)
        if not _by_month(dataset):
            return lambda rows: rows.filter(pl.col("ts") >= before)
        return lambda rows: rows if (rows["ts"] >= before).any() else rows.clear()

    def _refused_before(self, days: float) -> pl.DataFrame:
        """Return symbol and time of coming of the refused rows that are older than that."""
        rows = self._lake.read(self._lake.snapshot(QUARANTINE), ["symbol", "received"])
        return rows.filter(pl.col("received") < self._before(days))

    def _before(self, days: float) -> datetime:
        return self._clock.now() - timedelta(days=days)


def _by_month(dataset: Dataset) -> bool:
    return "month" in dataset.partition_by


def _next_month(first: datetime) -> datetime:
    return (first + timedelta(days=31)).replace(day=1)


def _check_names(rules: RetentionRules) -> None:
    for name in rules.datasets:
        if name not in OWN:
            raise InvalidInput(f"there is no rule for dataset {name!r}: use {', '.join(sorted(OWN))}")
