"""Answers that are kept in memory as long as what they were made of is what is stored."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Kept(Generic[Answer]):
    """The `most` answers that were asked for last, by a key that names their data's version; threads share them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[tuple[str | int, ...], Answer] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str | int, ...], make: Callable[[], Answer]) -> Answer:
        """Return the answer of `key`, made now when it is not kept; two threads that miss it both make it."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        # outside the lock: who asks for another answer does not wait for this one
        answer = make()
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return answer
