"""What stands between a request and its answer: credentials, the rate limit, and faults shown on purpose."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from simulated_exchange.settings import ExchangeSettings


class Refused(Exception):
    """The request gets this answer instead of bars: Alpaca's `{"message": ...}` with a status."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


@dataclass
class Gate:
    """Lets requests through or refuses them. Safe to share between threads."""

    settings: ExchangeSettings
    requests: int = 0
    _storm_left: int = 0
    _window_ends: float = 0.0
    _used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, key_id: str | None, secret: str | None) -> dict[str, str]:
        """Return the rate-limit headers of an admitted request; raise Refused for any other."""
        if not key_id or not secret:
            raise Refused(401, "authentication required: send APCA-API-KEY-ID and APCA-API-SECRET-KEY")
        if (key_id, secret) != (self.settings.key_id, self.settings.secret_key.get_secret_value()):
            raise Refused(403, "forbidden.")
        with self._lock:
            self.requests += 1
            headers = self._count()
            self._show_faults(headers)
        if self.settings.slow_page_seconds:
            time.sleep(self.settings.slow_page_seconds)
        return headers

    def _count(self) -> dict[str, str]:
        now = time.time()
        if now >= self._window_ends:
            self._window_ends, self._used = now + self.settings.rate_window_seconds, 0
        self._used += 1
        left = self.settings.rate_limit - self._used
        headers = {
            "X-RateLimit-Limit": str(self.settings.rate_limit),
            "X-RateLimit-Remaining": str(max(left, 0)),
            "X-RateLimit-Reset": str(int(self._window_ends + 0.999)),
        }
        if left < 0:
            raise Refused(429, "too many requests.", headers)
        return headers

    def _show_faults(self, headers: dict[str, str]) -> None:
        every, storm = self.settings.fail_every, self.settings.storm_every
        if storm and self.requests % storm == 0:
            self._storm_left = self.settings.storm_length
        if self._storm_left:
            self._storm_left -= 1
            raise Refused(429, "too many requests.", {**headers, "Retry-After": "0"})
        if every and self.requests % every == 0:
            raise Refused(500, "internal server error occurred", headers)
