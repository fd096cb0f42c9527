"""A form sent twice (double click, Back and send again) does its work once.

Every form carries a hidden key drawn when the page was made. The redirect that answered a key is remembered and
given again; a second sending that comes while the first is at work waits for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from fastapi import Response
from fastapi.responses import RedirectResponse

REMEMBERED = 2_000


class Once:
    """Remembers where the last forms were redirected to. Used from the event loop only."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, asyncio.Future[str | None]] = OrderedDict()

    async def respond(self, key: str, answer: Callable[[], Awaitable[Response]]) -> Response:
        """Answer the form with this key. Only redirects are remembered: a refused form may be sent again."""
        known = self._answers.get(key)
        if known is not None:
            location = await asyncio.shield(known)
            if location is not None:
                return RedirectResponse(location, status_code=303)
        mine: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._answers[key] = mine
        location = None
        try:
            response = await answer()
            location = response.headers.get("location") if response.status_code == 303 else None
            return response
        finally:
            mine.set_result(location)
            if location is None:
                self._answers.pop(key, None)
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
