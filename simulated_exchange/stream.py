"""The live feed: `/v2/{feed}` as a WebSocket in Alpaca's protocol, one bar a symbol when its minute is over.

1. A client is sent the bars of minutes that end after it subscribed; what it missed before, it asks for over REST.
2. With `stream_revise_every`, the bar of every n-th minute is first sent as it stood before its last trades, and half a
   minute later as it is, as an updated bar. REST always tells the bar as it is.
3. With `stream_cut_seconds`, each connection is dropped that long after it began, as a network would drop it; with
   `stream_lose_every`, bars of every n-th minute are left out, with `stream_misdate_every` they come with a wrong date
   too; with `stream_error`, clients are told that they want too much.

Async because the web server's WebSockets are: this file and nothing else of the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from simulated_exchange.protocol import CONNECTED, Conversation, Message, Wire, bar_message
from simulated_exchange.settings import ExchangeSettings
from simulated_exchange.timeline import Timeline, minute_of

router = APIRouter()
_MINUTE, _LATE, _MISDATED = timedelta(minutes=1), timedelta(seconds=30), timedelta(days=5 * 364)
#: a fast replay sends several minutes together rather than more often than this
_SHORTEST_WAIT_S = 0.002


@router.websocket("/v2/{feed}")
async def serve_feed(socket: WebSocket, feed: str) -> None:
    """Greet, listen and send until the client leaves, or the cut that is shown on purpose."""
    del feed  # there is one market here
    settings: ExchangeSettings = socket.app.state.settings
    wire = Wire(packed="msgpack" in socket.headers.get("content-type", ""))
    talk = Conversation(settings.key_id, settings.secret_key.get_secret_value(), settings.stream_error)
    await socket.accept()
    socket.app.state.streams += 1
    await _send(socket, wire, CONNECTED)
    work = asyncio.gather(_listen(socket, wire, talk), _tell(socket, wire, talk))
    try:
        with suppress(WebSocketDisconnect, RuntimeError):
            await asyncio.wait_for(work, settings.stream_cut_seconds or None)
    except TimeoutError:
        # 1011: the server's own trouble; alpaca-py connects again after a pause
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.close(1011)
    finally:
        work.cancel()


async def _listen(socket: WebSocket, wire: Wire, talk: Conversation) -> None:
    while True:
        said = await socket.receive()
        if said["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(said.get("code") or 1000)
        await _send(socket, wire, talk.answer(wire.read(said.get("bytes") or said.get("text") or "")))


async def _tell(socket: WebSocket, wire: Wire, talk: Conversation) -> None:
    timeline: Timeline = socket.app.state.timeline
    told = timeline.now()
    while True:
        await asyncio.sleep(max(timeline.wait_s(_next(told)), _SHORTEST_WAIT_S))
        now = timeline.now()
        if messages := await asyncio.to_thread(list, _due(socket, talk, told, now)):
            await _send(socket, wire, messages)
        told = now


def _next(told: datetime) -> datetime:
    """Return when the next bar or update can be due: each full and each half minute."""
    half = minute_of(told) + _LATE
    return half if told < half else half + _LATE


def _due(socket: WebSocket, talk: Conversation, told: datetime, now: datetime) -> Iterator[Message]:
    """Yield what happened in (told, now]: bars of minutes that ended, and updates of those that were revised."""
    state = socket.app.state
    every: int = state.settings.stream_revise_every
    lost: int = state.settings.stream_lose_every
    misdated: int = state.settings.stream_misdate_every
    for symbol in talk.symbols(state.market_symbols):
        # a bar is sent when its minute has ended, an update half a minute later
        bars = state.market.bars(symbol, minute_of(told - _MINUTE - _LATE), now)
        for row in bars.iter_rows(named=True):
            minute = int(row["ts"].timestamp()) // 60
            if lost and minute % lost == 0:
                continue
            revised = bool(every) and minute % every == 0
            ended = told < row["ts"] + _MINUTE <= now and talk.wants("bars", symbol)
            if ended and misdated and minute % misdated == 0:
                yield bar_message("b", symbol, {**row, "ts": row["ts"] + _MISDATED})
            if ended:
                yield bar_message("b", symbol, _before_last_trades(row) if revised else row)
            if revised and told < row["ts"] + _MINUTE + _LATE <= now and talk.wants("updatedBars", symbol):
                yield bar_message("u", symbol, row)


def _before_last_trades(row: dict[str, object]) -> dict[str, object]:
    """Return a bar as it stood when half its volume had been traded: closed at its open."""
    return {**row, "c": row["o"], "v": row["v"] // 2}  # pyright: ignore[reportOperatorIssue] - a number


async def _send(socket: WebSocket, wire: Wire, messages: list[Message]) -> None:
    written = wire.write(messages)
    if isinstance(written, bytes):
        await socket.send_bytes(written)
    else:
        await socket.send_text(written)
