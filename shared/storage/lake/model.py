"""What the lake hands out: files, snapshots, commits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from shared.contracts.datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class File:
    """One immutable file, which holds all rows of one partition."""

    partition: str  # "symbol=SPY/month=2024-05"
    partition_values: dict[str, str]
    content_hash: str
    columns: list[str]
    row_count: int
    byte_count: int
    min_ts: datetime | None  # of the column `ts`, UTC; None for a dataset without it
    max_ts: datetime | None

    def path(self, dataset: Dataset) -> str:
        """Where the file is, below the lake's root."""
        return f"{dataset.name}/{self.partition}/{self.content_hash}.parquet"


@dataclass(frozen=True, kw_only=True)
class NewFile(File):
    """A written file on its way into the manifest."""

    replaces: int | None  # id of the partition's file that it was made from


@dataclass(frozen=True, kw_only=True)
class PartitionInfo(File):
    """What the manifest knows of a committed file."""

    id: int
    committed_at: datetime


@dataclass(frozen=True)
class Snapshot:
    """The files that hold a dataset's rows in [start, end) at one moment: what is read, and what names it.

    It sees every commit as a whole or not at all. Reading it again gives the same rows, until the sweep.
    """

    dataset: Dataset
    files: tuple[PartitionInfo, ...]  # in the order of the key
    start: datetime | None
    end: datetime | None

    @cached_property
    def version(self) -> str:
        """SHA-256 over partition and content of every file: the data version, equal for equal rows.

        It covers whole files: a change in a month that the range only touches is a new version too.
        """
        lines = [self.dataset.name, *(f"{file.partition} {file.content_hash}" for file in self.files)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def rows(self) -> int:
        """Rows of all files, so at least those in range."""
        return sum(file.row_count for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What a write changed. Writing what is there already changes nothing."""

    dataset: Dataset
    changed: tuple[str, ...]  # partitions, e.g. "symbol=SPY/month=2024-05"
    content: dict[str, str]  # the hash of what each touched partition holds now, changed or not
    rows_before: int  # in the touched partitions
    rows_after: int
    rows_replaced: int  # by an upsert: rows that were there with other values
    committed_at: datetime | None  # None when nothing changed

    @property
    def rows_added(self) -> int:
        return self.rows_after - self.rows_before


@dataclass(frozen=True)
class SweepReport:
    """How many files were removed: superseded ones, and ones that never became part of a commit."""

    superseded: int
    orphans: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a dataset takes on the disk. `old_*`: of what was superseded, the part before the asked moment."""

    dataset: str
    files: int
    rows: int
    bytes: int
    superseded_files: int
    superseded_bytes: int
    old_files: int
    old_bytes: int
