"""The manifest: which files are a dataset's data, now and earlier. One row per file, in Postgres."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from psycopg.errors import UniqueViolation

from shared.clock import Clock
from shared.contracts.datasets import Dataset
from shared.errors import InvalidInput, NotFound
from shared.storage.lake.frames import partition_path
from shared.storage.lake.model import NewFile, PartitionInfo, Usage
from shared.storage.postgres import Connection, Database
from shared.storage.queries import Queries

#: Sorts behind every character that a partition's path can have.
AFTER_ALL = "\U0010ffff"


class Outdated(Exception):
    """Another writer changed a touched partition, or a sweep removed a file that was to become live."""


@dataclass(frozen=True)
class _Locked:
    id: int
    committed_at: datetime


@dataclass(frozen=True)
class _Moment:
    at: datetime


@dataclass(frozen=True)
class _Place:
    dataset: str
    partition: str
    content_hash: str

    @property
    def path(self) -> str:
        return f"{self.dataset}/{self.partition}/{self.content_hash}.parquet"


class Manifest:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._queries = Queries.of("shared.storage")

    @cached_property
    def lake_id(self) -> str:
        """The id of the lake that this manifest is of."""
        with self._database.transaction() as conn:
            return self._queries.value(conn, "lake_id")

    def find(
        self,
        dataset: Dataset,
        partition: Mapping[str, str | Collection[str]],
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[PartitionInfo]:
        """Return files with rows in [start, end) whose partition has the wanted values, in the order of the key.

        One statement, so the answer is one moment: every commit is in it as a whole or not at all. Raises NotFound
        when a sweep forgot some of what there was at the moment `as_of`.
        """
        wanted = _choices(dataset, partition)
        first, last = _range(dataset, wanted)
        asked = {"dataset": dataset.name, "first": first, "last": last, "wanted": wanted, "start": start, "end": end}
        with self._database.transaction() as conn:
            if as_of is None:
                found = self._queries.rows(conn, "live_files", PartitionInfo, **asked)
            else:
                found = self._queries.rows(conn, "files_as_of", PartitionInfo, **asked, as_of=as_of)
                # asked after the files: a sweep in between is seen
                forgotten = self._queries.value(conn, "forgotten_as_of", **asked, as_of=as_of)
                if forgotten is not None:
                    raise NotFound(
                        f"what {dataset.name} held at {as_of.isoformat()} is not kept any more: files replaced up to "
                        f"{forgotten.astimezone(UTC).isoformat()} were swept; ask as of that moment or later"
                    )
        return sorted(found, key=lambda file: [file.partition_values[name] for name in dataset.partition_by])

    def history(self, dataset: Dataset, partition: Mapping[str, str | Collection[str]]) -> list[datetime]:
        """Return the moments at which files of the wanted values came or went, newest first, back to the sweep."""
        wanted = _choices(dataset, partition)
        first, last = _range(dataset, wanted)
        with self._database.transaction() as conn:
            found = self._queries.rows(
                conn, "changes", _Moment, dataset=dataset.name, first=first, last=last, wanted=wanted
            )
        return [row.at for row in found]

    def live(self, dataset: Dataset, partitions: Sequence[str]) -> dict[str, PartitionInfo]:
        """Return the live files of the partitions that have one."""
        with self._database.transaction() as conn:
            found = self._queries.rows(
                conn, "live_files_of", PartitionInfo, dataset=dataset.name, partitions=list(partitions)
            )
        return {file.partition: file for file in found}

    def swap(
        self,
        dataset: Dataset,
        new: Sequence[NewFile],
        any_missing: Callable[[], bool],
        precondition: Callable[[Connection], None] | None,
        dropped: Sequence[int] = (),
    ) -> datetime | None:
        """Make `new` live in place of what each was made from, all in one transaction; return its time.

        The files of the ids `dropped` end with nothing in their place.

        Raises Outdated, having changed nothing, when one of the replaced files is not live any more, when a
        partition has a live file that was not there before, or when one of the new files is gone.
        """
        try:
            with self._database.transaction() as conn:
                self._queries.value(conn, "hold_off_sweep")
                if precondition is not None:
                    precondition(conn)
                return self._swapped(conn, dataset, new, any_missing, dropped) if new or dropped else None
        except UniqueViolation as error:
            if error.diag.constraint_name != "file_live":
                raise
            raise Outdated from error

    def _swapped(
        self,
        conn: Connection,
        dataset: Dataset,
        new: Sequence[NewFile],
        any_missing: Callable[[], bool],
        dropped: Sequence[int],
    ) -> datetime:
        replaced = [*dropped, *(file.replaces for file in new if file.replaces is not None)]
        locked = self._queries.rows(conn, "lock_live", _Locked, ids=replaced)
        if len(locked) != len(replaced) or any_missing():
            raise Outdated
        # never before what it replaces, whatever the clocks of two machines say
        now = max([self._clock.now(), *(row.committed_at for row in locked)])
        self._queries.run(conn, "supersede", ids=replaced, now=now)
        # in one order for all writers: two that add the same partitions queue up instead of deadlocking
        rows = [
            {name: value for name, value in vars(file).items() if name != "replaces"}
            | {"dataset": dataset.name, "now": now}
            for file in sorted(new, key=lambda file: file.partition)
        ]
        if rows:
            self._queries.run_many(conn, "add_file", rows)
        return now

    def usage(self, before: datetime) -> list[Usage]:
        """Return what each dataset takes."""
        with self._database.transaction() as conn:
            return self._queries.rows(conn, "usage", Usage, before=before)

    @contextmanager
    def sweeping(self, before: datetime) -> Iterator[tuple[set[str], set[str]]]:
        """Forget what was superseded by `before`; yield the paths forgotten, and the paths still known.

        No commit happens until the block ends; when it fails, nothing was forgotten.
        """
        with self._database.transaction() as conn:
            self._queries.value(conn, "hold_off_commits")
            forgotten = self._queries.rows(conn, "forget_superseded", _Place, before=before)
            known = self._queries.rows(conn, "known_files", _Place)
            yield {place.path for place in forgotten}, {place.path for place in known}


def _choices(dataset: Dataset, partition: Mapping[str, str | Collection[str]]) -> dict[str, list[str]]:
    for name in partition:
        if name not in dataset.partition_by:
            raise InvalidInput(f"{dataset.name} has no partition {name!r}: it has {', '.join(dataset.partition_by)}")
    return {name: [value] if isinstance(value, str) else sorted(value) for name, value in partition.items()}


def _range(dataset: Dataset, wanted: Mapping[str, list[str]]) -> tuple[str, str]:
    """Return the narrowest range of partition paths that holds all wanted ones: [first, last)."""
    known: dict[str, str] = {}
    for name in dataset.partition_by:
        choices = wanted.get(name, [])
        if len(choices) == 1:
            known[name] = choices[0]
            continue
        if choices:
            paths = [partition_path({**known, name: choice}) for choice in choices]
            return min(paths), max(paths) + AFTER_ALL
        break
    prefix = partition_path(known)
    return prefix, prefix + AFTER_ALL
