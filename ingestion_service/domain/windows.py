"""When the live updater listens: each regular session with a margin around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ingestion_service.domain.moments import DAY_US, in_us, moment_at
from shared.contracts.sessions import MINUTE_US, sessions_between

#: Longer than any stretch of closed days.
_REACH = timedelta(days=15)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A session [opens, closes) and the time listened around it, [begins, ends). All in UTC."""

    opens: datetime
    closes: datetime
    begins: datetime
    ends: datetime

    def in_session(self, now: datetime) -> bool:
        return self.opens <= now < self.closes

    def passed(self, now: datetime) -> float:
        """Return how much of the window is over, 0..1."""
        return min(max((now - self.begins) / (self.ends - self.begins), 0.0), 1.0)


def window_at(now: datetime, before: timedelta, after: timedelta) -> Window:
    """Return the window that `now` is in, or the next one. Half days end early; weekends and holidays have none."""
    sessions = sessions_between(in_us(now - _REACH), in_us(now + _REACH))
    row = int(np.searchsorted(sessions.close_us, in_us(now - after), side="right"))
    opens, closes = moment_at(sessions.open_us[row]), moment_at(sessions.close_us[row])
    return Window(opens=opens, closes=closes, begins=opens - before, ends=closes + after)


def last_closed_minute(now: datetime, *, always_open: bool = False) -> datetime | None:
    """Return the start of the newest regular minute that is over, None when there was none for two weeks.

    always_open : the market has no sessions (crypto), so every minute is regular
    """
    if always_open:
        return now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    sessions = sessions_between(in_us(now - _REACH), in_us(now))
    if not len(sessions):
        return None
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    begun = sessions.open_us[sessions.open_us <= in_us(minute)]
    if not len(begun):
        return None
    return min(minute, moment_at(sessions.close_us[len(begun) - 1]) - timedelta(minutes=1))


def minutes_behind(last: datetime, now: datetime, *, always_open: bool = False) -> int:
    """Return how many regular minutes have ended since the bar at `last`, up to `now`.

    always_open : the market has no sessions (crypto), so every minute counts
    """
    if always_open:
        return max((in_us(now) - in_us(last)) // MINUTE_US - 1, 0)
    sessions = sessions_between(in_us(last) - DAY_US, in_us(now) + 1)
    expected = sessions.expected_minutes()
    return int(np.count_nonzero((expected > in_us(last)) & (expected + MINUTE_US <= in_us(now))))
