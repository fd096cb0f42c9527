"""Asking over REST for what the stream did not bring, in a thread of its own, so that listening goes on meanwhile."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from ingestion_service.domain.requests import IngestBars
from ingestion_service.domain.symbols import crypto_pair
from ingestion_service.domain.windows import Window, last_closed_minute
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases.agents import Run
from ingestion_service.use_cases.intake import Intake
from shared.clock import Clock
from shared.errors import NotFound
from shared.jobs.model import LeaseLost

_MINUTE = timedelta(minutes=1)
#: How far back the first question goes; what is older is the backfill's.
_FURTHEST = timedelta(days=7)
#: Seconds between two polls of a symbol that lags: one that the stream should bring, and one that it does not.
POLL_STREAMED_S, POLL_S = 300.0, 60.0

Answer = Future["datetime | None"]


@dataclass
class CatchingUp:
    """What is known of each symbol, and what is to be asked for. One question at a time, each symbol once."""

    run: Run
    intake: Intake
    store: BarStore
    machine: Clock
    window: Window
    #: the newest minute known of each symbol, stored or on its way there
    newest: dict[str, datetime] = field(default_factory=dict[str, datetime])
    #: from where on a symbol is to be asked for
    due: dict[str, datetime] = field(default_factory=dict[str, datetime])
    #: the first minute that the stream left out between two it brought
    holes: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _asked: dict[str, Answer] = field(default_factory=dict[str, Answer])
    _polled: dict[str, float] = field(default_factory=dict[str, float])

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="catching up")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def begin(self, symbol: str, now: datetime) -> None:
        """Take a symbol up: all since its last stored minute is due, and all of this window in any case.

        What a provider has answered for good is not asked for again.
        """
        known = self.store.stocks(symbol)
        if known:
            self.newest[symbol] = known[0].last
        last = known[0].last + _MINUTE if known else self.window.begins
        self.due[symbol] = max(min(last, self.window.begins), now - _FURTHEST)

    def forget_all_but(self, symbols: list[str]) -> None:
        self.due = {symbol: since for symbol, since in self.due.items() if symbol in symbols}

    def heard(self, symbol: str, ts: datetime) -> None:
        """Note a minute that the stream brought; those it left out before it are asked for at the next poll."""
        begins = self.window.opens
        wanted = max(self.newest[symbol] + _MINUTE, begins) if symbol in self.newest else begins
        if ts > wanted:
            self.holes.setdefault(symbol, wanted)
        self.newest[symbol] = max(self.newest.get(symbol, ts), ts)

    def subscribed(self, symbol: str) -> None:
        """From now on the stream brings each minute: what closed since the newest known one is due."""
        since = self._since(symbol)
        self.due[symbol] = min(self.due.get(symbol, since), since)

    def lagging(self, symbol: str, now: datetime, speed: float, *, streamed: bool) -> None:
        """Make a symbol due whose bars do not come, as often as it may be polled."""
        closed = last_closed_minute(now, always_open=crypto_pair(symbol) is not None)
        if closed is None or symbol in self.due or symbol in self._asked:
            return
        pause = (POLL_STREAMED_S if streamed else POLL_S) / speed
        rested = self.machine.monotonic() - self._polled.get(symbol, float("-inf")) >= pause
        behind = closed - self.newest.get(symbol, self.window.begins) > (2 if streamed else 0) * _MINUTE
        if rested and (behind or symbol in self.holes):
            self.due[symbol] = self.holes.pop(symbol, self._since(symbol))

    def ask(self, now: datetime) -> None:
        """Take the answers that came, and ask for what is due. Raises LeaseLost."""
        for symbol, answer in list(self._asked.items()):
            if answer.done():
                del self._asked[symbol]
                self._take(symbol, answer)
        until = now.replace(second=0, microsecond=0)
        for symbol in [symbol for symbol in self.due if symbol not in self._asked]:
            since = self.due.pop(symbol)
            self._polled[symbol] = self.machine.monotonic()
            if since < until:
                # of this window also what was answered before: an answer that came too early holds no bar of it
                again = since >= self.window.begins
                self._asked[symbol] = self._pool.submit(self._fetch, symbol, since, until, refresh=again)

    def ask_for_all(self, symbols: list[str], until: datetime) -> None:
        """Take over the window as the provider tells it now that it is over. Raises LeaseLost."""
        until = until.replace(second=0, microsecond=0)
        for done, symbol in enumerate(symbols):
            if not self.run.goes_on(1.0, f"asks once more for {symbol} ({done + 1} of {len(symbols)})"):
                return
            answer = self._pool.submit(self._fetch, symbol, self.window.begins, until, refresh=True)
            while not answer.done():
                self.run.goes_on(1.0, f"asks once more for {symbol} ({done + 1} of {len(symbols)})")
                self.run.wait(0.1)
            self._take(symbol, answer)

    def _since(self, symbol: str) -> datetime:
        return self.newest[symbol] + _MINUTE if symbol in self.newest else self.window.begins

    def _fetch(self, symbol: str, since: datetime, until: datetime, *, refresh: bool = False) -> datetime | None:
        """Fetch [since, until); return the newest minute stored, None when there is none."""
        request = IngestBars(symbol=symbol, start=since, end=until, refresh=refresh)
        try:
            self.intake.ingest(request, self.run.quietly())
        except NotFound:
            return None  # nobody has any bar of it so far
        known = self.store.stocks(symbol)
        return known[0].last if known else None

    def _take(self, symbol: str, answer: Answer) -> None:
        try:
            last = answer.result()
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - one symbol's trouble is not the others'; it is polled again
            self.run.met(error)
            return
        if last is not None:
            self.newest[symbol] = max(self.newest.get(symbol, last), last)
