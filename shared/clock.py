"""Time as an argument: code that needs "now" is handed a Clock, so tests and replays can hand another."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time in UTC and monotonic seconds."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class FixedClock:
    """A clock that moves only when told to; for tests and replays."""

    at: datetime
    elapsed: timedelta = field(default=timedelta())

    def now(self) -> datetime:
        return self.at + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed.total_seconds()

    def advance(self, by: timedelta) -> None:
        self.elapsed += by
