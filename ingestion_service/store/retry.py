"""When to ask a provider again, and how long to wait before: throttled but patient, never for ever."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

#: With less than this share of the requests left, what is left is spread over the rest of the window.
_TIGHT = 0.1


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with jitter, capped; a provider that says to come back later than that is obeyed."""

    attempts: int = 6
    #: so many attempts without any answer, in all, are enough: a server that refuses is alive, one that is silent not
    silent_attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    #: a provider's own "come back in" is believed up to this
    longest_obeyed_s: float = 90.0

    def retries(self, status: int) -> bool:
        """Whether another try may help: throttled, or the server's own fault."""
        return status in (408, 425, 429) or status >= 500

    def wait_s(self, attempt: int, headers: Mapping[str, str], now: datetime, chance: random.Random) -> float:
        """Return the seconds to wait after failed `attempt` (from 1) that was answered with `headers`."""
        own = chance.uniform(0.5, 1.0) * min(self.first_wait_s * 2 ** (attempt - 1), self.longest_wait_s)
        told = _told_s(headers, now)
        if told is None:
            return own
        # one that says "at once" again and again is overloaded all the same; a little apart, so that many workers do
        # not come back in the same instant
        return max(own, min(told, self.longest_obeyed_s) + chance.uniform(0, 0.1))


#: For providers whose limit is a handful of requests a minute and who do not say when to come back.
SLOW = RetryPolicy(attempts=8, first_wait_s=2.0)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the headers of an answer say is left of the window's requests; -1: they say nothing."""

    limit: int = -1
    left: int = -1
    resets_at: float = 0.0

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Budget:
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            budget = cls(
                limit=int(lower.get("x-ratelimit-limit", "0")),
                left=int(lower["x-ratelimit-remaining"]),
                resets_at=float(lower["x-ratelimit-reset"]),
            )
        except (KeyError, ValueError):
            return cls()
        return budget if isfinite(budget.resets_at) else cls()

    def wait_s(self, now: datetime, longest_s: float) -> float:
        """Return how long to wait before the next request, so that it is not refused: 0 while there is room."""
        window_s = min(self.resets_at - now.timestamp(), longest_s)
        if self.left < 0 or window_s <= 0 or self.left > _TIGHT * self.limit:
            return 0.0
        # the last request is never spent: another worker may have spent it
        return window_s if self.left == 0 else window_s / (self.left + 1)


def _told_s(headers: Mapping[str, str], now: datetime) -> float | None:
    lower = {name.lower(): value for name, value in headers.items()}
    after = lower.get("retry-after")
    if after:
        return _after_s(after, now)
    budget = Budget.read(lower)
    return budget.resets_at - now.timestamp() if budget.left == 0 else None


def _after_s(text: str, now: datetime) -> float | None:
    try:
        seconds = float(text)
        return seconds if isfinite(seconds) else None
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
