"""What the registry knows of built features."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypedDict


class Read(TypedDict):
    """Bars of one symbol that a block was made of: from the month `since` to the block's own."""

    symbol: str
    since: str


@dataclass(frozen=True, kw_only=True)
class Block:
    """A built month.

    bars_from : the oldest month of its symbol's bars that took part
    reads : symbol and oldest month of every span of bars that took part, context and its candidates included
    bars_version : names the files of those spans: equal files, equal bars
    bars_hash : names exactly the rows that were read; None for blocks of the time before it was kept
    job_id : the build that made it
    """

    feature_set: str
    symbol: str
    month: str
    fingerprint: str
    bars_version: str
    bars_from: datetime
    content_hash: str
    rows: int
    first_ts: datetime
    last_ts: datetime
    reads: list[Read]
    bars_hash: str | None
    job_id: int
    created_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the registry's row but for its time."""
        row = {name: value for name, value in asdict(self).items() if name != "created_at"}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


@dataclass(frozen=True, kw_only=True)
class FitRow:
    """What a scheduled estimation left behind, by the fingerprint of all that went into it."""

    fingerprint: str
    name: str
    symbol: str
    month: str
    numbers: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What is built of one set for one symbol."""

    feature_set: str
    symbol: str
    months: int
    rows: int
    first_ts: datetime
    last_ts: datetime
    built_at: datetime


@dataclass(frozen=True, kw_only=True)
class BuildEntry:
    """A finished build: of `months` asked for, `hits` were there already and `misses` were made.

    seconds : from a worker's claim of the job to its end; None for builds of the time before it was kept
    """

    job_id: int
    feature_set: str
    symbol: str
    months: int
    hits: int
    misses: int
    fits_made: int
    fits_reused: int
    rows: int
    seconds: float | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class BuildCounts:
    """All builds together. `blocks_made_twice`: blocks that were computed more than once from the same bars."""

    builds: int
    hits: int
    misses: int
    fits_made: int
    fits_reused: int
    rows_made: int
    seconds: float
    blocks_made_twice: int

    @property
    def hit_share(self) -> float | None:
        """Share of months that were there already; None when none was asked for."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What made a column: kept for good, so that data of an old version stay explained."""

    name: str
    version: int
    parameters_hash: str
    parameters: dict[str, int | float]
    source: str
    formula: str
    stored: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class BuiltSet:
    """A set's id, of this version or an older one, and what is built of it."""

    feature_set: str
    symbols: int
    rows: int
    built_at: datetime
