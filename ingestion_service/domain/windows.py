"""When the live updater listens: each regular session with a margin around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from shared.contracts.sessions import sessions_between

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
    sessions = sessions_between(_us(now - _REACH), _us(now + _REACH))
    row = int(np.searchsorted(sessions.close_us, _us(now - after), side="right"))
    opens, closes = _moment(sessions.open_us[row]), _moment(sessions.close_us[row])
    return Window(opens=opens, closes=closes, begins=opens - before, ends=closes + after)


def last_closed_minute(now: datetime, *, always_open: bool = False) -> datetime | None:
    """Return the start of the newest regular minute that is over, None when there was none for two weeks.

    always_open : the market has no sessions (crypto), so every minute is regular
    """
    if always_open:
        return now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    sessions = sessions_between(_us(now - _REACH), _us(now))
    if not len(sessions):
        return None
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    begun = sessions.open_us[sessions.open_us <= _us(minute)]
    if not len(begun):
        return None
    return min(minute, _moment(sessions.close_us[len(begun) - 1]) - timedelta(minutes=1))


def minutes_behind(last: datetime, now: datetime, *, always_open: bool = False) -> int:
    """Return how many regular minutes have ended since the bar at `last`, up to `now`.

    always_open : the market has no sessions (crypto), so every minute counts
    """
    if always_open:
        return max((_us(now) - _us(last)) // 60_000_000 - 1, 0)
    sessions = sessions_between(_us(last) - 86_400_000_000, _us(now) + 1)
    expected = sessions.expected_minutes()
    return int(np.count_nonzero((expected > _us(last)) & (expected + 60_000_000 <= _us(now))))


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _moment(us: np.int64) -> datetime:
    return datetime.fromtimestamp(int(us) / 1e6, UTC)
