"""Waiting for something to come true, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Return the first truthy value of `predicate`, asked again and again for `timeout` seconds.

    An exception from `predicate` counts as "not yet"; the last one is shown when time runs out.
    Raises AssertionError after `timeout`, with `what` and the last value or exception in the message.
    """
    deadline = time.monotonic() + timeout
    pause = 0.005
    last: object = None
    while True:
        try:
            last = value = predicate()
            if value:
                return value
        except Exception as error:  # noqa: BLE001 - whatever it was, it may pass
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or predicate!r} (last: {last!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
