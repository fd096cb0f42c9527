"""What time it is on the exchange: the machine's time, or a day that is played again, perhaps faster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import Clock

_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True)
class Timeline:
    """Exchange time: `begins` at the machine's monotonic second `since`, and runs `speed` times as fast.

    With a speed of 0 it stands still.
    """

    clock: Clock
    begins: datetime
    since: float
    speed: float = 1.0

    @classmethod
    def present(cls, clock: Clock) -> Timeline:
        """Return the machine's own time."""
        return cls(clock, clock.now(), clock.monotonic())

    @classmethod
    def replay(cls, clock: Clock, begins: datetime, speed: float) -> Timeline:
        """Return a time that is `begins` now."""
        return cls(clock, begins, clock.monotonic(), speed)

    def now(self) -> datetime:
        return self.begins + timedelta(seconds=(self.clock.monotonic() - self.since) * self.speed)

    def wait_s(self, moment: datetime) -> float:
        """Return the machine's seconds until `moment` of exchange time, 0 when it has passed.

        Where time stands still, how long to wait before looking again.
        """
        return max((moment - self.now()).total_seconds() / self.speed, 0.0) if self.speed else _LOOK_AGAIN_S


def minute_of(moment: datetime) -> datetime:
    """Return the start of the minute."""
    return moment.replace(second=0, microsecond=0)
