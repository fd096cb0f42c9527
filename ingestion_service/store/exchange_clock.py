"""What time it is where bars come from: the machine's, or on the simulated exchange that of a day played again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import httpx

from ingestion_service.domain.live import MarketClock
from ingestion_service.settings import SIMULATED, Settings
from ingestion_service.store.addresses import is_local
from shared.clock import Clock
from shared.errors import Unavailable

#: how long what the exchange said is gone by
_ASK_EVERY_S = 2.0


class MachineClock:
    """The machine's own time, which is that of real markets."""

    speed = 1.0

    def __init__(self, machine: Clock) -> None:
        self._machine = machine

    def now(self) -> datetime:
        return self._machine.now()

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def sync(self) -> None:
        return


class ExchangeClock:
    """Runs from what the exchange last said it was, as fast as time runs there."""

    def __init__(self, base_url: str, machine: Clock) -> None:
        """Raise Unavailable when the exchange does not answer."""
        self._url = f"{base_url}/v2/clock"
        self._here = is_local(base_url)
        self._machine = machine
        self._said, self._asked, self.speed = self._ask()

    def now(self) -> datetime:
        return self._said + timedelta(seconds=(self._machine.monotonic() - self._asked) * self.speed)

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def sync(self) -> None:
        """Ask again: the exchange may play another day, or stand still. Keep going when it does not answer."""
        try:
            self._said, self._asked, self.speed = self._ask()
        except Unavailable:
            return

    def _ask(self) -> tuple[datetime, float, float]:
        try:
            answer = httpx.get(self._url, timeout=2.0, trust_env=not self._here).raise_for_status().json()
            return datetime.fromisoformat(answer["timestamp"]), self._machine.monotonic(), float(answer["speed"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"{self._url} does not tell the time: {error}") from error


class MarketTime:
    """The market's time for whoever asks now and then: the machine's while the exchange does not tell another."""

    def __init__(self, open_clock: Callable[[], MarketClock], machine: Clock) -> None:
        self._open_clock, self._machine = open_clock, machine
        self._opened: MarketClock | None = None
        self._asked = float("-inf")

    def now(self) -> datetime:
        if self.monotonic() - self._asked > _ASK_EVERY_S:
            self._asked = self.monotonic()
            if self._opened is not None:
                self._opened.sync()
            else:
                with suppress(Unavailable):
                    self._opened = self._open_clock()
        return (self._opened or self._machine).now()

    def monotonic(self) -> float:
        return self._machine.monotonic()


def provider_clock(settings: Settings, machine: Clock) -> MarketClock:
    """Return the time of the market: the machine's, but on the simulated exchange its own."""
    only_simulated = {settings.chain, *settings.own_chains.values()} == {(SIMULATED,)}
    return ExchangeClock(settings.alpaca_base_url, machine) if only_simulated else MachineClock(machine)
