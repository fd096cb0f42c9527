"""What the registry knows of built features."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Block:
    """A built month. `bars_version` names the bars from `bars_from` to the month's end that it was made of."""

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
    created_at: datetime | None = None


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
