"""The most memory that a process and all it started held at once."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Self

from barsmith import procfs

_EVERY_SECONDS = 1.0


class PeakMemory:
    """Looks once a second while entered; `peak_bytes` is the largest sum seen (shared pages counted once)."""

    def __init__(self, root: int | None = None) -> None:
        self._root = root or os.getpid()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak_bytes = max(self.peak_bytes, procfs.memory_bytes(procfs.family(self._root)))
            if self._stop.wait(_EVERY_SECONDS):
                return
