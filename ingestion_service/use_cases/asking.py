"""Questions to providers in a thread of their own: the next answer is on its way while the last one is stored."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar

from ingestion_service.domain.sources import MarketDataSource
from ingestion_service.store.drift import DriftStore

T = TypeVar("T")


class Asking:
    """One question at a time, in the order they were put; a job has one of these, whoever it asks.

    Whoever puts a question before the last answer is stored holds two answers in memory, and no more.
    """

    def __init__(self, drift: DriftStore) -> None:
        self._drift = drift

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="asking")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def put(self, source: MarketDataSource, question: Callable[[], T]) -> Future[T]:
        """Put a question to `source`; how its answer drifted is recorded when it has come."""

        def answered() -> T:
            try:
                return question()
            finally:
                self._drift.record(source.drift())

        return self._pool.submit(answered)
