"""What the registry knows of built features."""

from __future__ import annotations

from dataclasses import dataclass
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
    created_at: datetime | None = None


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
