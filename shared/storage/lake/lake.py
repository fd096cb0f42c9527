"""Reading and writing datasets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from shared.clock import Clock
from shared.contracts.datasets import Dataset
from shared.errors import Conflict, InvalidInput
from shared.storage.lake import frames
from shared.storage.lake.files import open_files
from shared.storage.lake.manifest import Manifest, Outdated
from shared.storage.lake.model import Commit, NewFile, PartitionInfo, Snapshot, SweepReport, Usage
from shared.storage.lake.parquet import encode
from shared.storage.migrate import migrate
from shared.storage.postgres import Connection, Database

Precondition = Callable[[Connection], None]

#: Each failed attempt means that another writer got through, so this many in a row is not contention but a fault.
MAX_ATTEMPTS = 100
#: A file waits for the disk twice, and hashing and packing leave the interpreter: several are made at a time.
WRITERS = 8
#: A file below this, named by the id in the database, marks whose files these are.
MARKS = "lake-id/"


def migrate_lake(database: Database) -> None:
    """Bring the manifest's tables up to date."""
    migrate(database, "lake", "shared.storage")


@dataclass(frozen=True)
class _Change:
    """The new state of one partition: nothing to do when its content is what is there."""

    values: dict[str, str]
    old: PartitionInfo | None
    rows: pl.DataFrame
    content_hash: str
    replaced: int = 0  # rows of `old` that others of their key replace

    @property
    def is_new(self) -> bool:
        return self.old is None or self.old.content_hash != self.content_hash


class Lake:
    """Datasets under one root (a folder or an fsspec URL), their manifest in one database.

    Safe to use from threads and from any number of processes and machines that see the same root and database.
    """

    def __init__(self, database: Database, root: str, clock: Clock) -> None:
        self.files = open_files(root)
        self._clock = clock
        self._manifest = Manifest(database, clock)

    def upsert(self, dataset: Dataset, frame: pl.DataFrame, *, precondition: Precondition | None = None) -> Commit:
        """Merge rows into the dataset: a row replaces the stored one of the same key, all other rows stay.

        All of the frame becomes visible at once, over all partitions it touches, or nothing of it. Concurrent
        upserts never lose rows: whoever commits second merges again. Of a key named twice the last row wins.

        Parameters
        ----------
        precondition
            Runs inside the committing transaction, also when there is nothing to change; what it raises aborts
            the commit. Use it to fence off a worker that lost its lease.

        Raises
        ------
        InvalidInput
            The frame is not of the dataset's schema, a key is null, or its columns differ from the stored ones.
        Unavailable
            The disk is full, or Postgres does not answer. Nothing was changed.
        """
        return self._write(dataset, frame, precondition, keep_old=True)

    def replace(self, dataset: Dataset, frame: pl.DataFrame, *, precondition: Precondition | None = None) -> Commit:
        """Put the partitions that the frame has rows for anew: rows they had before are gone. Else as `upsert`."""
        return self._write(dataset, frame, precondition, keep_old=False)

    def rewrite(
        self,
        dataset: Dataset,
        change: Callable[[pl.DataFrame], pl.DataFrame],
        *,
        precondition: Precondition | None = None,
        **partition: str | Collection[str],
    ) -> Commit:
        """Put the live partitions of those values anew, with the rows that `change` (pure) makes of theirs.

        A partition left without rows ceases to be, until the next write. Else as `upsert`.
        """

        def look(pool: ThreadPoolExecutor) -> list[_Change]:
            return list(pool.map(partial(self._rewritten, dataset, change), self._manifest.find(dataset, partition)))

        return self._commit(dataset, look, precondition)

    def history(self, dataset: Dataset, **partition: str | Collection[str]) -> list[datetime]:
        """Return the moments, newest first, at which those partitions changed: what `as_of` can still tell apart."""
        return self._manifest.history(dataset, partition)

    def snapshot(
        self,
        dataset: Dataset,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | None = None,
        **partition: str | Collection[str],
    ) -> Snapshot:
        """Pin the dataset's present files, or those of the moment `as_of`, that have rows in [start, end).

        `partition` narrows to values: `symbol="SPY"`, or several as in `symbol=["SPY", "QQQ"]`. History is there
        until it is swept: NotFound for `as_of` a moment of which something was.
        """
        for name, moment in (("start", start), ("end", end), ("as_of", as_of)):
            if moment is not None and moment.tzinfo is None:
                raise InvalidInput(f"{name} {moment.isoformat()} has no time zone: give it in UTC")
        found = self._manifest.find(dataset, partition, start, end, as_of)
        return Snapshot(dataset, tuple(found), start, end)

    def read(self, snapshot: Snapshot, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the snapshot's rows in [start, end), sorted by the dataset's key.

        Without `columns` all files must have the same ones. A column named in `columns` that only some of the
        files have is null in the rows of the others.

        Raises
        ------
        InvalidInput
            A wanted column is in none of the files, or files differ and `columns` was not given.
        NotFound
            The snapshot's files were swept.
        """
        wanted = _wanted_columns(snapshot, columns)
        if not snapshot.files:
            # the type of a column beyond the schema is written in its files only
            return pl.DataFrame(schema={name: snapshot.dataset.schema.get(name, pl.Float64) for name in wanted})
        cut = frames.cut(snapshot)
        needed = wanted if cut is None or "ts" in wanted else [*wanted, "ts"]
        frame = self.files.read([file.path(snapshot.dataset) for file in snapshot.files], needed)
        absent = [name for name in wanted if name not in frame.columns]
        frame = frame.with_columns(pl.lit(None, snapshot.dataset.schema[name]).alias(name) for name in absent)
        return (frame if cut is None else frame.filter(cut)).select(wanted)

    def partitions(self, dataset: Dataset, **partition: str | Collection[str]) -> list[PartitionInfo]:
        """Return what the manifest knows of each live partition, in the order of their values. Opens no file."""
        return self._manifest.find(dataset, partition)

    def usage(self, grace: timedelta = timedelta()) -> list[Usage]:
        """Return what each dataset takes on the disk, and how much of it a sweep with `grace` would free."""
        return self._manifest.usage(self._clock.now() - grace)

    def sweep(self, grace: timedelta) -> SweepReport:
        """Remove files superseded longer than `grace` ago, and files as old that no commit ever named.

        `grace` must be longer than any read and any write take. Writes that go on meanwhile are safe: a commit
        looks whether its files are there, and writes them again if not. Raises Conflict, having removed nothing,
        when another database's lake writes to the same root: its files would look like orphans from here.
        """
        before = self._clock.now() - grace
        found = {path: (written, size) for path, written, size in self.files.all()}
        self._check_marks({path for path in found if path.startswith(MARKS)})
        superseded = orphans = freed = 0
        with self._manifest.sweeping(before) as (forgotten, known):
            for path, (written, size) in found.items():
                if path in known or path.startswith(MARKS) or (path not in forgotten and written > before):
                    continue
                self.files.remove(path)
                freed += size
                superseded += path in forgotten
                orphans += path not in forgotten
        return SweepReport(superseded, orphans, freed)

    def _check_marks(self, marks: set[str]) -> None:
        if others := sorted(marks - {MARKS + self._manifest.lake_id}):
            raise Conflict(
                f"{self.files.address(others[0])} says that another database's lake has its files here too: give each"
                " its own root; if that database is gone for good, remove that file and sweep again"
            )

    def _write(
        self, dataset: Dataset, frame: pl.DataFrame, precondition: Precondition | None, *, keep_old: bool
    ) -> Commit:
        parts = list(frames.by_partition(dataset, frames.checked(dataset, frame)))
        self.files.add(MARKS + self._manifest.lake_id, b"")
        names = [frames.partition_path(values) for values, _ in parts]

        def look(pool: ThreadPoolExecutor) -> list[_Change]:
            live = self._manifest.live(dataset, names)
            olds = [live.get(name) for name in names]
            return list(pool.map(partial(self._change, dataset, keep_old=keep_old), parts, olds))

        return self._commit(dataset, look, precondition)

    def _commit(
        self, dataset: Dataset, look: Callable[[ThreadPoolExecutor], list[_Change]], precondition: Precondition | None
    ) -> Commit:
        """Look what is to change, store its files and swap them in; look again when another writer came first."""
        for _ in range(MAX_ATTEMPTS):
            with ThreadPoolExecutor(WRITERS) as pool:
                changes = look(pool)
                changed = [change for change in changes if change.is_new]
                new = list(pool.map(partial(self._stored, dataset), (c for c in changed if c.rows.height)))
            dropped = [change.old.id for change in changed if change.old and not change.rows.height]
            missing = partial(self._any_missing, [file.path(dataset) for file in new])
            try:
                at = self._manifest.swap(dataset, new, missing, precondition, dropped)
            except Outdated:
                continue
            return Commit(
                dataset=dataset,
                changed=tuple(frames.partition_path(change.values) for change in changed),
                content={frames.partition_path(change.values): change.content_hash for change in changes},
                rows_before=sum(change.old.row_count for change in changes if change.old),
                rows_after=sum(change.rows.height for change in changes),
                rows_replaced=sum(change.replaced for change in changes),
                committed_at=at,
            )
        raise Conflict(f"{dataset.name}: other writers came first {MAX_ATTEMPTS} times: write fewer partitions at once")

    def _any_missing(self, paths: list[str]) -> bool:
        return bool(self.files.missing(paths))

    def _change(
        self,
        dataset: Dataset,
        part: tuple[dict[str, str], pl.DataFrame],
        old: PartitionInfo | None,
        *,
        keep_old: bool,
    ) -> _Change:
        (values, rows), replaced = part, 0
        if keep_old and old is not None:
            rows, replaced = frames.merged(dataset, self.files.read([old.path(dataset)], old.columns), rows)
        return _Change(values, old, rows, frames.content_hash(rows), replaced)

    def _rewritten(
        self, dataset: Dataset, change: Callable[[pl.DataFrame], pl.DataFrame], old: PartitionInfo
    ) -> _Change:
        rows = frames.checked(dataset, change(self.files.read([old.path(dataset)], old.columns)))
        values = {name: old.partition_values[name] for name in dataset.partition_by}
        parts = list(frames.by_partition(dataset, rows)) or [(values, rows)]
        if any(found != values for found, _ in parts):
            raise InvalidInput(f"{dataset.name}: a change may not move rows out of {old.partition}")
        return _Change(values, old, parts[0][1], frames.content_hash(parts[0][1]))

    def _stored(self, dataset: Dataset, change: _Change) -> NewFile:
        content = encode(change.rows, dataset.encoding)
        first, last = frames.time_bounds(change.rows)
        file = NewFile(
            partition=frames.partition_path(change.values),
            partition_values=change.values,
            content_hash=change.content_hash,
            columns=change.rows.columns,
            row_count=change.rows.height,
            byte_count=len(content),
            min_ts=first,
            max_ts=last,
            replaces=change.old.id if change.old else None,
        )
        self.files.add(file.path(dataset), content)
        return file


def _wanted_columns(snapshot: Snapshot, columns: Sequence[str] | None) -> list[str]:
    dataset, files = snapshot.dataset, snapshot.files
    if columns is None:
        found = files[0].columns if files else list(dataset.schema)
        for file in files:
            if differing := sorted(set(file.columns) ^ set(found)):
                raise InvalidInput(
                    f"{dataset.name}: {files[0].partition} and {file.partition} differ in columns"
                    f" {', '.join(differing)}: name the columns you want"
                )
        return found
    known = set(dataset.schema).union(*(file.columns for file in files))
    for name in columns:
        if name not in known and (files or not dataset.extra_columns):
            raise InvalidInput(f"{dataset.name}: no column {name!r}; there are {', '.join(sorted(known))}")
    return list(columns)
