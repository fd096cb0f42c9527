"""Minute bars as they close, from Alpaca's WebSocket through alpaca-py's own client, which runs in a thread.

Async because the client is: it wants coroutines as handlers. What they hear goes into a queue, and all else is sync.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from alpaca.data.enums import DataFeed
from alpaca.data.live.stock import StockDataStream

from ingestion_service.domain.live import Dropped, FeedEvent, LiveBar, Refused, Subscribed, Troubled
from shared.logs import HIDDEN

#: A connection that says nothing for so long is taken for dead, though it answers pings.
_MUTE_S = 180.0
#: Between attempts to connect again; the client doubles the first up to the second while none succeeds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0

# the client logs every drop with a traceback; we say them as events
logging.getLogger("alpaca.data.live.websocket").setLevel(logging.CRITICAL)


def stream_url(base_url: str, feed: str) -> str:
    """Return the stream's address for a REST address: Alpaca's own has a host of its own."""
    parts = urlsplit(base_url)
    if (parts.hostname or "").endswith(".alpaca.markets"):
        return f"wss://stream.data.alpaca.markets/v2/{feed}"
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}/v2/{feed}"


class AlpacaStream:
    """A LiveFeed of `symbols`; connects at once and again whenever the connection drops."""

    def __init__(
        self, *, name: str, base_url: str, key_id: str, secret_key: str, feed: str, symbols: Sequence[str]
    ) -> None:
        self._name = name
        self._events: queue.SimpleQueue[FeedEvent] = queue.SimpleQueue()
        self._client = _Client(stream_url(base_url, feed), key_id, secret_key, DataFeed(feed.lower()), self._events)
        self._client.listen_to(symbols)
        self._thread = threading.Thread(target=self._client.run_quietly, name="live feed", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self._name

    def take(self, seconds: float) -> list[FeedEvent]:
        said: list[FeedEvent] = []
        try:
            said.append(self._events.get(timeout=seconds))
            while True:
                said.append(self._events.get_nowait())
        except queue.Empty:
            return said

    def close(self) -> None:
        self._client.leave()
        self._thread.join(timeout=2.0)


class _Client(StockDataStream):
    """alpaca-py's stream that tells when it is connected, dropped or refused: by itself it only logs that."""

    def __init__(
        self, url: str, key_id: str, secret_key: str, feed: DataFeed, events: queue.SimpleQueue[FeedEvent]
    ) -> None:
        super().__init__(key_id, secret_key, raw_data=True, feed=feed, url_override=url, data_timeout=_MUTE_S)
        self._events = events
        self._reconnect_min_backoff, self._reconnect_max_backoff = _FIRST_PAUSE_S, _LONGEST_PAUSE_S
        self._left = False

    def listen_to(self, symbols: Sequence[str]) -> None:
        self.subscribe_bars(self._hear, *symbols)
        self.subscribe_updated_bars(self._hear, *symbols)

    def run_quietly(self) -> None:
        try:
            self.run()
        except RuntimeError as error:  # its loop was closed while it still wanted to stop
            if not self._left:
                self._events.put(Refused(f"the stream's client ended: {error}"))

    def leave(self) -> None:
        self._left = True
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(lambda: loop.create_task(self._leave()))
        except RuntimeError:  # closed between the two lines
            return

    async def _leave(self) -> None:
        await self.stop_ws()
        # it looks at its stop flag only between two messages: closing wakes it
        if self._ws is not None:
            await self._ws.close()

    async def _hear(self, raw: Any) -> None:  # noqa: ANN401 - raw data are maps, whatever its types say
        values = {name: _number(raw.get(name[0])) for name in ("open", "high", "low", "close", "volume")}
        self._events.put(LiveBar(symbol=str(raw["S"]), ts=raw["t"].to_datetime(), **values))

    async def _start_ws(self) -> None:
        try:
            await super()._start_ws()
        except ValueError as error:
            said = self._without_keys(str(error))
            if "auth failed" in said:
                self._left = True
                self._events.put(Refused(f"{self._endpoint} refused the credentials ({said})"))
                await self.stop_ws()
            else:
                self._events.put(Troubled(said))
            raise

    async def _dispatch(self, msg: dict[str, Any]) -> None:
        if msg.get("T") == "subscription":
            self._events.put(Subscribed())
        elif msg.get("T") == "error":
            self._events.put(Troubled(self._without_keys(f"{msg.get('msg')} ({msg.get('code')})")))
        await super()._dispatch(msg)

    def _without_keys(self, text: str) -> str:
        for key in (self._api_key, self._secret_key):
            text = text.replace(key, HIDDEN)
        return text

    async def close(self) -> None:
        if self._ws is not None and not self._left:
            self._events.put(Dropped("the connection closed"))
        await super().close()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
