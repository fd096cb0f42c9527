"""Moments as int64 microseconds since the epoch in UTC, as bars hold them, and back; exact, unlike floats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

DAY_US = 86_400_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def in_us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def moment_at(us: Any) -> datetime:  # noqa: ANN401 - numpy's scalars are not typed as such
    return _EPOCH + int(us) * _MICROSECOND
