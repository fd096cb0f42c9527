"""The live updater: bars as they close, without a hole.

One run is one trading window: a session with the margins of its options.

1. At its beginning it asks over REST for what is missing since the last stored minute, and of today.
2. The stream's bars are stored together every few seconds. Whenever the stream is (again) subscribed, what closed while
   it was not is asked for over REST, from the newest bar known at that moment on: no minute falls in between.
3. Symbols that lag (their provider has no stream, the stream is mute or away) are polled over REST.
4. At its end it asks once more for the whole window: late trades and revised bars are taken over, and with that the
   provider has answered for every minute.

Killed at any point, the next attempt begins with 1 and loses nothing. The clock is the provider's: the simulated
exchange may play a past day, faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion_service.domain.agents import LiveOptions
from ingestion_service.domain.live import MarketClock
from ingestion_service.domain.windows import window_at
from ingestion_service.store.bars import BarStore
from ingestion_service.store.providers import Providers
from ingestion_service.use_cases.agents import Ended, Run, options_of
from ingestion_service.use_cases.catching_up import CatchingUp
from ingestion_service.use_cases.intake import Intake
from ingestion_service.use_cases.listening import Listening, OpenFeed
from shared.clock import Clock
from shared.jobs.queue import Queue

_MINUTE = timedelta(minutes=1)
#: The shortest wait between two runs.
_PAUSE = timedelta(seconds=5)


@dataclass(frozen=True)
class LiveUpdater:
    """`open_feed` gives None where the provider has no stream; `open_clock` the provider's time."""

    store: BarStore
    queue: Queue
    clock: Clock
    providers: Providers
    open_feed: OpenFeed
    open_clock: Callable[[], MarketClock]

    def run(self, run: Run) -> Ended:
        """Listen through one window, or say when the next begins."""
        options = LiveOptions.model_validate(options_of(run).model_dump())
        clock = self.open_clock()
        before, after = timedelta(minutes=options.minutes_before), timedelta(minutes=options.minutes_after)
        window = window_at(clock.now(), before, after)
        if clock.now() < window.begins:
            return Ended({"waits_for": window.begins.isoformat()}, next_at=self._when(clock, window.begins))
        if not any(one.live for one in run.store.watched()):
            return Ended({"watched": 0}, next_at=self.clock.now() + _MINUTE)
        intake = Intake(self.store, self.queue, clock, self.providers)
        with CatchingUp(run, intake, self.store, self.clock, window) as catching_up:
            listening = Listening(run, options, window, self.store, catching_up, self.open_feed, self.clock, clock)
            result = listening.through()
        return Ended(result, next_at=self._when(clock, window_at(clock.now(), before, after).begins))

    def _when(self, clock: MarketClock, moment: datetime) -> datetime:
        """Return the machine's time at which the provider's clock shows `moment`."""
        return self.clock.now() + max((moment - clock.now()) / (clock.speed or 1.0), _PAUSE)
