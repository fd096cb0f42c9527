"""When to ask a provider again, and how long to wait before: throttled but patient, never for ever."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter, capped; a provider that says when to come back is obeyed."""

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    #: a provider's own "come back in" is believed up to this
    longest_obeyed_s: float = 90.0

    def retries(self, status: int) -> bool:
        """Whether another try may help: throttled, or the server's own fault."""
        return status in (408, 425, 429) or status >= 500

    def wait_s(self, attempt: int, headers: Mapping[str, str], now: datetime, chance: random.Random) -> float:
        """Return the seconds to wait after failed `attempt` (from 1) that was answered with `headers`."""
        told = _told_s(headers, now)
        if told is not None:
            # a little apart, so that many workers do not come back in the same instant
            return min(max(told, 0.0), self.longest_obeyed_s) + chance.uniform(0, 0.1)
        return chance.uniform(0.5, 1.0) * min(self.first_wait_s * 2 ** (attempt - 1), self.longest_wait_s)


def _told_s(headers: Mapping[str, str], now: datetime) -> float | None:
    after = headers.get("Retry-After")
    if after:
        return _after_s(after, now)
    reset = headers.get("X-RateLimit-Reset")
    if reset and headers.get("X-RateLimit-Remaining") == "0":
        try:
            return float(reset) - now.timestamp()
        except ValueError:
            return None
    return None


def _after_s(text: str, now: datetime) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
