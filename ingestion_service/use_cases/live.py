"""The live updater: bars as they close, without a hole.

One run is one trading window: a session with the margins of its options.

1. At its beginning it asks over REST for what is missing since the last stored minute, and of today.
2. The stream's bars are stored together every few seconds. Whenever the stream is (again) subscribed, what closed while
   it was not is asked for over REST, from the newest bar known at that moment on: no minute falls in between.
3. Symbols that lag (their provider has no stream, the stream is mute or away) are polled over REST.
4. At its end it asks once more for the whole window: late trades and revised bars are taken over, and with that the
   provider has answered for every minute.

Coins trade around the clock and have no stream here: outside the windows the run polls those of the watchlist, and
at the end of that pause asks once more for all of it.

Killed at any point, the next attempt begins with 1 and loses nothing. The clock is the provider's: the simulated
exchange may play a past day, faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion_service.domain.agents import LiveOptions
from ingestion_service.domain.live import MarketClock
from ingestion_service.domain.symbols import crypto_pair
from ingestion_service.domain.windows import Window, window_at
from ingestion_service.store.bars import BarStore
from ingestion_service.store.providers import Providers
from ingestion_service.use_cases.agents import Ended, Run, options_of
from ingestion_service.use_cases.catching_up import CatchingUp
from ingestion_service.use_cases.intake import Intake
from ingestion_service.use_cases.listening import IsStreamed, Listening, OpenFeed
from shared.clock import Clock
from shared.jobs.queue import Queue

_MINUTE = timedelta(minutes=1)
#: The shortest wait between two runs.
_PAUSE = timedelta(seconds=5)
#: Seconds between two looks at the clock and the watchlist where only coins are polled.
_LOOK_S = 1.0


@dataclass(frozen=True)
class LiveUpdater:
    """`open_feed` gives None where the provider has no stream; `open_clock` the provider's time."""

    store: BarStore
    queue: Queue
    clock: Clock
    providers: Providers
    open_feed: OpenFeed
    is_streamed: IsStreamed
    open_clock: Callable[[], MarketClock]

    def run(self, run: Run) -> Ended:
        """Listen through one window, or say when the next begins."""
        options = options_of(run, LiveOptions)
        clock = self.open_clock()
        before, after = timedelta(minutes=options.minutes_before), timedelta(minutes=options.minutes_after)
        window = window_at(clock.now(), before, after)
        if clock.now() < window.begins:
            if _coins(run):
                return self._through_the_pause(run, clock, window)
            return Ended({"waits_for": window.begins.isoformat()}, next_at=self._when(clock, window.begins))
        if not any(one.live for one in run.store.watched()):
            return Ended({"watched": 0}, next_at=self.clock.now() + _MINUTE)
        intake = Intake(self.store, self.queue, self.clock, self.providers, clock)
        with CatchingUp(run, intake, self.store, self.clock, window) as catching_up:
            listening = Listening(
                run, options, window, self.store, catching_up, self.open_feed, self.is_streamed, self.clock, clock
            )
            result = listening.through()
        next_begins = clock.now() if _coins(run) else window_at(clock.now(), before, after).begins
        return Ended(result, next_at=self._when(clock, next_begins))

    def _through_the_pause(self, run: Run, clock: MarketClock, window: Window) -> Ended:
        """Poll the coins of the watchlist until the next window begins."""
        begun = clock.now()
        pause = Window(opens=begun, closes=window.begins, begins=begun, ends=window.begins)
        intake = Intake(self.store, self.queue, self.clock, self.providers, clock)
        taken_up = set[str]()
        with CatchingUp(run, intake, self.store, self.clock, pause) as catching_up:
            while coins := _coins(run):
                now = clock.now()
                if now >= window.begins:
                    catching_up.ask_for_all(coins, now)
                    break
                if not run.goes_on(
                    pause.passed(now), f"polling coins {now:%H:%M} UTC until {window.begins:%m-%d %H:%M}"
                ):
                    break
                for symbol in coins:
                    if symbol not in taken_up:
                        taken_up.add(symbol)
                        catching_up.begin(symbol, now)
                    catching_up.lagging(symbol, now, clock.speed or 1.0, streamed=False)
                catching_up.ask(now)
                run.wait(_LOOK_S)
        return Ended({"coins": len(coins)}, next_at=self._when(clock, clock.now()))

    def _when(self, clock: MarketClock, moment: datetime) -> datetime:
        """Return the machine's time at which the provider's clock shows `moment`."""
        return self.clock.now() + max((moment - clock.now()) / (clock.speed or 1.0), _PAUSE)


def _coins(run: Run) -> list[str]:
    return [one.symbol for one in run.store.watched() if one.live and crypto_pair(one.symbol)]
