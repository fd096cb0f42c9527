"""Alpaca's stream protocol without the wire: what a client may say, and what it is answered.

connected -> authenticated -> subscribed. Control messages go both ways as lists of maps with the type under "T";
errors have Alpaca's codes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgpack

#: what can be subscribed to here; other channels of Alpaca's are acknowledged and stay silent
CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "corrections", "cancelErrors")
Message = dict[str, Any]

CONNECTED: list[Message] = [{"T": "success", "msg": "connected"}]


def _error(code: int, text: str) -> list[Message]:
    return [{"T": "error", "code": code, "msg": text}]


@dataclass
class Conversation:
    """One client's connection: who it is and what it wants."""

    key_id: str
    secret: str
    #: what is refused on purpose: 406 at the door, 405 at the subscription
    error: int = 0
    authenticated: bool = False
    wanted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def answer(self, said: object) -> list[Message]:
        """Return the answer to one message of the client."""
        if not isinstance(said, Mapping) or not isinstance(action := said.get("action"), str):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON
            return _error(400, "invalid syntax")
        message: Mapping[str, Any] = said  # pyright: ignore[reportUnknownVariableType]
        if action == "auth":
            return self._authenticate(message)
        if not self.authenticated:
            return _error(401, "not authenticated")
        if action in ("subscribe", "unsubscribe"):
            return self._change(message, add=action == "subscribe")
        return _error(400, "invalid syntax")

    def wants(self, channel: str, symbol: str) -> bool:
        wanted = self.wanted.get(channel, [])
        return symbol in wanted or "*" in wanted

    def symbols(self, listed: Sequence[str]) -> list[str]:
        """Return the symbols of which any bars are wanted; of `listed` when all are."""
        named = {symbol for channel in ("bars", "updatedBars") for symbol in self.wanted.get(channel, [])}
        return sorted(listed) if "*" in named else sorted(named)

    def _authenticate(self, message: Mapping[str, Any]) -> list[Message]:
        if self.authenticated:
            return _error(403, "already authenticated")
        if (message.get("key"), message.get("secret")) != (self.key_id, self.secret):
            return _error(402, "auth failed")
        if self.error == 406:
            return _error(406, "connection limit exceeded")
        self.authenticated = True
        return [{"T": "success", "msg": "authenticated"}]

    def _change(self, message: Mapping[str, Any], *, add: bool) -> list[Message]:
        if self.error == 405:
            return _error(405, "symbol limit exceeded")
        for channel in CHANNELS:
            named = [str(symbol).upper() for symbol in message.get(channel) or []]
            before = self.wanted.get(channel, [])
            self.wanted[channel] = (
                list(dict.fromkeys([*before, *named])) if add else [one for one in before if one not in named]
            )
        return [{"T": "subscription", **{channel: self.wanted.get(channel, []) for channel in CHANNELS}}]


@dataclass(frozen=True)
class Wire:
    """How messages are written: msgpack for clients that ask for it (alpaca-py), else JSON."""

    packed: bool

    def write(self, messages: Sequence[Message]) -> bytes | str:
        if self.packed:
            return msgpack.packb(messages, datetime=True) or b""
        return json.dumps(messages, default=_rfc3339)

    def read(self, data: bytes | str) -> object:
        """Return what the client said, None when it cannot be read."""
        try:
            if self.packed and isinstance(data, bytes):
                return msgpack.unpackb(data)
            return json.loads(data)
        except (ValueError, msgpack.UnpackException):
            return None


def bar_message(kind: str, symbol: str, row: Mapping[str, Any]) -> Message:
    """Return a bar as Alpaca streams it; `kind` is "b", or "u" for one that replaces a bar sent before."""
    return {
        "T": kind,
        "S": symbol,
        **{name: row[name] for name in ("o", "h", "l", "c", "v", "n", "vw")},
        "t": row["ts"],
    }


def _rfc3339(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    raise TypeError(f"{type(value).__name__} cannot be sent")
