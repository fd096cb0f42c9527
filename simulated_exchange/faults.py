"""Pages that arrive wrong on purpose: repeated, out of order, with bars that are revised further down, or cut short.

Each kind strikes every n-th page of one process; the truth can always be told: the last word on a minute is right.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

from fastapi import Response

from simulated_exchange.pages import token_of
from simulated_exchange.settings import ExchangeSettings

#: Marks the token of a page that is sent a second time.
_AGAIN = "again."
#: So many bars of a page are sent unfinished first.
_REVISED = 8


@dataclass
class Faults:
    """Counts the pages and spoils them. Safe to share between threads."""

    settings: ExchangeSettings
    pages: int = 0
    spoiled: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def true_token(self, token: str | None) -> str | None:
        """Return the token without the mark that its page was sent before."""
        return token.removeprefix(_AGAIN) if token else token

    def spoil(
        self, bars: dict[str, str], following: str | None, asked: str | None
    ) -> tuple[dict[str, str], str | None]:
        """Return a page (bars as JSON text by symbol, and the token that follows) as it is sent.

        `asked` is the token the client came with.
        """
        with self._lock:
            self.pages += 1
            number = self.pages
        if not bars:
            return bars, following
        this_page = asked or token_of(bars)
        if self._strikes("shuffle", number):
            bars = {symbol: json.dumps(json.loads(text)[::-1]) for symbol, text in bars.items()}
        if self._strikes("revise", number):
            bars = {symbol: json.dumps(_with_provisional(json.loads(text))) for symbol, text in bars.items()}
        if not (asked or "").startswith(_AGAIN) and self._strikes("duplicate", number):
            following = _AGAIN + this_page
        return bars, following

    def sent(self, text: str, headers: dict[str, str]) -> Response:
        """Return the answer, or one whose connection breaks in the middle of its body."""
        if self._strikes("drop", self.pages):
            # more is promised than sent: the server closes the connection
            headers = {**headers, "Content-Length": str(len(text.encode()))}
            text = text[: len(text) // 2]
        return Response(text, media_type="application/json", headers=headers)

    def _strikes(self, kind: str, number: int) -> bool:
        every = getattr(self.settings, f"{kind}_every")
        if not every or number % every:
            return False
        with self._lock:
            self.spoiled[kind] = self.spoiled.get(kind, 0) + 1
        return True


def _with_provisional(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Put unfinished versions of some bars before the page: the open stands for the close, half the volume is there."""
    early = [{**row, "c": row["o"], "v": int(str(row["v"])) // 2} for row in rows[:: max(len(rows) // _REVISED, 1)]]
    return [*early, *rows]
