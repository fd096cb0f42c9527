"""Which of the other services answer, asked by the page's script after the page is shown."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import httpx
from fastapi import APIRouter

from shared.clock import Clock
from shared.settings import ServiceSettings

FRESH_SECONDS = 5.0
_TIMEOUT = httpx.Timeout(1.5)
State = Literal["up", "down"]


class Siblings:
    """Asks each sibling's /healthz, all at once, at most every few seconds however many pages ask."""

    def __init__(self, settings: ServiceSettings, clock: Clock) -> None:
        self._urls = {name: url for name, url in settings.service_urls.items() if name != settings.name}
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, State] = {}
        self._asked_at = float("-inf")

    def states(self) -> dict[str, State]:
        """Name of each sibling -> "up" or "down"."""
        with self._lock:
            if self._clock.monotonic() - self._asked_at > FRESH_SECONDS:
                with ThreadPoolExecutor(max_workers=len(self._urls)) as pool:
                    self._known = dict(zip(self._urls, pool.map(_ask, self._urls.values()), strict=True))
                self._asked_at = self._clock.monotonic()
            return self._known


def _ask(url: str) -> State:
    try:
        return "up" if httpx.get(f"{url}/healthz", timeout=_TIMEOUT, trust_env=False).is_success else "down"
    except httpx.HTTPError:
        return "down"


def siblings_router(siblings: Siblings) -> APIRouter:
    """Route of /siblings."""
    router = APIRouter(tags=["health"])

    @router.get("/siblings")
    def sibling_states() -> dict[str, State]:
        return siblings.states()

    return router
