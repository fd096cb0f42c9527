"""Listening through one trading window: what the stream says is stored, what it misses is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingestion_service.domain.agents import LiveOptions
from ingestion_service.domain.live import (
    Dropped,
    FeedEvent,
    LiveBar,
    LiveFeed,
    MarketClock,
    Refused,
    Subscribed,
    Troubled,
    raw_frames,
    usual_silence,
)
from ingestion_service.domain.spans import Span
from ingestion_service.domain.symbols import crypto_pair
from ingestion_service.domain.windows import Window
from ingestion_service.store.bars import BarStore, Kept
from ingestion_service.use_cases.agents import Run
from ingestion_service.use_cases.catching_up import CatchingUp
from shared.clock import Clock
from shared.errors import InvalidInput, Unavailable

_MINUTE = timedelta(minutes=1)
#: Seconds until a stream that refused us is tried again, and until the watchlist is read anew.
_REOPEN_S, _REREAD_S = 300.0, 10.0
#: Silent symbols that an alert names.
_NAMED = 5
#: Seconds to wait for the stream's next word.
_PATIENCE_S = 0.2

#: A feed of these symbols; None where the provider has no stream.
OpenFeed = Callable[[Sequence[str]], LiveFeed | None]
#: Whether a symbol belongs on that feed; those that do not are polled.
IsStreamed = Callable[[str], bool]


@dataclass
class Listening:
    """`clock` is the provider's time, `machine` ours."""

    run: Run
    options: LiveOptions
    window: Window
    store: BarStore
    catching_up: CatchingUp
    open_feed: OpenFeed
    is_streamed: IsStreamed
    machine: Clock
    clock: MarketClock
    feed: LiveFeed | None = None
    symbols: list[str] = field(default_factory=list[str])
    #: what came and is not stored yet
    held: list[LiveBar] = field(default_factory=list[LiveBar])
    #: how long each may be silent; of those that are known well enough
    usual: dict[str, timedelta] = field(default_factory=dict[str, timedelta])
    connected: bool = False
    refused: str | None = None
    #: what the provider says is wrong on a stream that it keeps open, or opens again and again
    trouble: str | None = None
    alert: str | None = None
    received: int = 0
    stored: int = 0
    drops: int = 0
    _stored_at: float = float("-inf")
    _reread_at: float = float("-inf")
    _reopen_at: float = float("-inf")

    def through(self) -> dict[str, object]:
        """Listen until the window ends or the agent is halted; return what came."""
        self.run.store.alert(self.run.name, None)
        try:
            if self._listened():
                self.catching_up.ask_for_all(self.symbols, self.clock.now())
        finally:
            if self.feed is not None:
                self.feed.close()
        return {
            "session": f"{self.window.opens:%Y-%m-%d}",
            "symbols": len(self.symbols),
            "received": self.received,
            "stored": self.stored,
            "drops": self.drops,
        }

    def _listened(self) -> bool:
        """Listen; return whether the window ended, rather than that the agent was halted."""
        while (now := self.clock.now()) < self.window.ends:
            if not self.run.goes_on(self.window.passed(now), self._note(now)):
                self._store()
                return False
            self._follow_the_watchlist()
            for event in self._next_events():
                self._heed(event)
            if self.held and self.machine.monotonic() - self._stored_at >= self.options.store_seconds:
                self._store()
            for symbol in self.symbols:
                streamed = self.connected and self.is_streamed(symbol)
                self.catching_up.lagging(symbol, now, self.clock.speed or 1.0, streamed=streamed)
            # read anew: a minute may have ended before the stream was subscribed and after the loop began
            self.catching_up.ask(self.clock.now())
            self._mind_the_silence()
        self._store()
        return True

    def _follow_the_watchlist(self) -> None:
        now = self.machine.monotonic()
        if now - self._reread_at >= _REREAD_S:
            self._reread_at = now
            self.clock.sync()
            wanted = [one.symbol for one in self.run.store.watched() if one.live]
            for symbol in wanted:
                if symbol not in self.symbols:
                    self.catching_up.begin(symbol, self.clock.now())
            if wanted != self.symbols:
                self.symbols, self._reopen_at = wanted, float("-inf")
                self.usual = self._usual_silences()
                self.catching_up.forget_all_but(wanted)
                self._leave()
        streamed = [symbol for symbol in self.symbols if self.is_streamed(symbol)]
        if self.feed is None and streamed and now >= self._reopen_at:
            self._reopen_at = now + _REOPEN_S
            self.feed = self.open_feed(streamed)

    def _usual_silences(self) -> dict[str, timedelta]:
        known = self.store.facts_of([one for one in self.store.stocks() if one.symbol in self.symbols])
        usual = {symbol: usual_silence(facts.recent) for symbol, facts in known.items()}
        return {symbol: silence for symbol, silence in usual.items() if silence is not None}

    def _next_events(self) -> list[FeedEvent]:
        if self.feed is not None:
            return self.feed.take(_PATIENCE_S)
        self.run.wait(_PATIENCE_S)
        return []

    def _heed(self, event: FeedEvent) -> None:
        if isinstance(event, LiveBar):
            self._hear(event)
        elif isinstance(event, Subscribed):
            self.refused = self.trouble = None
            self._connect()
        elif isinstance(event, Troubled):
            if event.reason != self.trouble:
                self.run.met(Unavailable(f"stream: {event.reason}"))
            self.trouble = event.reason
        elif isinstance(event, Dropped):
            self.drops += self.connected
            self.connected = False
            self.run.met(Unavailable(f"stream: {event.reason}"))
        elif isinstance(event, Refused):
            self.refused, self._reopen_at = event.reason, self.machine.monotonic() + _REOPEN_S
            self.run.met(InvalidInput(event.reason))
            self._leave()

    def _hear(self, bar: LiveBar) -> None:
        self.received += 1
        self.held.append(bar)
        if not self.connected:
            self._connect()  # bars come: whatever else was said, some of what we asked for was granted
        if self._listened_for.start <= bar.ts < self._listened_for.end:
            self.catching_up.heard(bar.symbol, bar.ts)

    def _connect(self) -> None:
        self.connected = True
        self.clock.sync()
        for symbol in self.symbols:
            self.catching_up.subscribed(symbol)

    def _leave(self) -> None:
        self.connected = False
        if self.feed is not None:
            self._store()
            self.feed.close()
            self.feed = None

    def _store(self) -> None:
        """Store what the stream brought since the last time, in one commit."""
        self._stored_at = self.machine.monotonic()
        if self.feed is None:
            return
        source = self.feed.name
        if self.held:
            raws = raw_frames(self.held)
            screened = self.store.judged(raws, source, self._listened_for)
            # no span is settled by it: late trades still come
            kept = [Kept(symbol, one, ()) for symbol, one in screened.items()]
            self.store.save_many(kept, source, self.machine.now(), self.run.ctx.still_mine)
            self.stored += sum(one.screened.bars.height for one in kept)
        self.held = []

    def _mind_the_silence(self) -> None:
        """Raise an alert while bars should come and do not."""
        now = self.clock.now()
        text = self.refused or (self.trouble and f"the stream says: {self.trouble}; what it does not bring is polled")
        # coins go on where the exchange is mute
        minded = [symbol for symbol in self.symbols if not crypto_pair(symbol)] or self.symbols
        last = max((self.catching_up.newest.get(symbol, self.window.begins) for symbol in minded), default=now)
        since = max(self.window.opens, last + _MINUTE)
        if text is None and self.window.in_session(now) and now - since > self._patience:
            state = "connected and mute" if self.connected else "not connected"
            text = f"no bar since {since:%Y-%m-%d %H:%M} UTC, in session; the stream is {state}"
        if text is None and self.window.in_session(now):
            text = self._strangely_silent(now)
        if text != self.alert:
            self.alert = text
            self.run.store.alert(self.run.name, text)

    def _strangely_silent(self, now: datetime) -> str | None:
        """Name the symbols that are silent for far longer than they usually are, while others speak."""
        quiet = [
            symbol
            for symbol, usual in self.usual.items()
            for last in [self.catching_up.newest.get(symbol, self.window.begins)]
            if now - max(self.window.opens, last + _MINUTE) > max(usual, self._patience)
        ]
        if not quiet:
            return None
        more = f" and {len(quiet) - _NAMED} more" if len(quiet) > _NAMED else ""
        return (
            f"{len(quiet)} of {len(self.symbols)} symbols silent for far longer than usual, in session: "
            f"{', '.join(quiet[:_NAMED])}{more}; halted, renamed, or not on this feed?"
        )

    @property
    def _patience(self) -> timedelta:
        return timedelta(minutes=self.options.alert_minutes)

    @property
    def _listened_for(self) -> Span:
        """When a bar of this stream can have begun; not only up to now, for our clock may be behind the provider's."""
        return Span(self.window.begins, self.window.ends)

    def _note(self, now: datetime) -> str:
        state = "live" if self.connected else ("polling" if self.feed is None else "connecting")
        return f"{state} {now:%H:%M} UTC, {self.received:,} bars, {self.drops} drops"
