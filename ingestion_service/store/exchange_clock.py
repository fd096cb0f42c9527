"""The simulated exchange's time: the machine's own, or that of a day that is played again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx

from ingestion_service.settings import SIMULATED, Settings
from shared.clock import Clock
from shared.errors import Unavailable


@dataclass(frozen=True)
class ExchangeClock:
    """Runs from what the exchange said it was at `asked` (monotonic seconds), `speed` times as fast as ours."""

    machine: Clock
    said: datetime
    asked: float
    speed: float

    def now(self) -> datetime:
        return self.said + timedelta(seconds=(self.machine.monotonic() - self.asked) * self.speed)

    def monotonic(self) -> float:
        return self.machine.monotonic()


def ask_clock(base_url: str, machine: Clock) -> ExchangeClock:
    """Ask the exchange what time it is there, and how fast it runs. Raises Unavailable when it does not answer."""
    here = urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1")
    try:
        answer = httpx.get(f"{base_url}/v2/clock", timeout=5.0, trust_env=not here).raise_for_status().json()
        return ExchangeClock(
            machine, datetime.fromisoformat(answer["timestamp"]), machine.monotonic(), float(answer.get("speed", 1.0))
        )
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{base_url}/v2/clock does not tell the time: {error}") from error


def provider_clock(settings: Settings, machine: Clock) -> Clock:
    """Return the time of the market: the machine's, but on the simulated exchange its own."""
    return ask_clock(settings.alpaca_base_url, machine) if settings.chain == (SIMULATED,) else machine
