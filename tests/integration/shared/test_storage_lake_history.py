"""Earlier states of the lake: readable as of a moment, until a sweep forgot some of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from shared.clock import FixedClock
from shared.contracts.datasets import BARS_1M
from shared.errors import NotFound
from shared.storage.lake import Lake

MAY, JUNE = datetime(2024, 5, 31, 19, 57, tzinfo=UTC), datetime(2024, 6, 3, 13, 30, tzinfo=UTC)


def bars(symbol: str, start: datetime, count: int, price: float = 100.0, source: str = "test") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": [symbol] * count,
            "ts": [start + timedelta(minutes=i) for i in range(count)],
            **{name: [price + i for i in range(count)] for name in ("open", "high", "low", "close")},
            "volume": [None if i % 3 == 2 else 10.5 * i for i in range(count)],
            "source": [source] * count,
        },
        schema=BARS_1M.schema,
    )


def test_an_earlier_state_is_readable_until_it_is_swept(lake: Lake, clock: FixedClock) -> None:
    dawn = clock.now() - timedelta(hours=1)
    first, second = bars("SPY", MAY, 3), bars("SPY", MAY, 4, price=1)
    lake.upsert(BARS_1M, first)
    pinned, then = lake.snapshot(BARS_1M), clock.now()
    clock.advance(timedelta(hours=2))
    lake.upsert(BARS_1M, second)

    assert lake.read(pinned).equals(first)
    assert lake.snapshot(BARS_1M, as_of=then) == pinned
    assert lake.read(lake.snapshot(BARS_1M, as_of=clock.now())).equals(second)
    assert lake.read(lake.snapshot(BARS_1M, as_of=dawn)).equals(first[:0])

    clock.advance(timedelta(minutes=59))
    assert lake.sweep(timedelta(hours=1)).superseded == 0
    clock.advance(timedelta(minutes=2))
    report = lake.sweep(timedelta(hours=1))
    assert (report.superseded, report.orphans) == (1, 0)
    assert report.bytes > 0
    with pytest.raises(NotFound, match=r"\.parquet is gone: the snapshot is older than the sweep's grace"):
        lake.read(pinned)
    with pytest.raises(NotFound, match="is not kept any more: files replaced up to"):
        lake.snapshot(BARS_1M, as_of=then)
    assert lake.snapshot(BARS_1M, as_of=dawn).files == ()  # there was nothing then
    assert lake.read(lake.snapshot(BARS_1M, as_of=clock.now())).equals(second)
    assert lake.read(lake.snapshot(BARS_1M)).equals(second)


def test_only_moments_of_which_something_was_swept_are_refused(lake: Lake, clock: FixedClock) -> None:
    for symbol in ("SPY", "QQQ"):
        lake.upsert(BARS_1M, bars(symbol, MAY, 3))
        lake.upsert(BARS_1M, bars(symbol, JUNE, 3))
    then = clock.now()
    clock.advance(timedelta(hours=1))
    lake.upsert(BARS_1M, bars("SPY", MAY, 3, price=1))
    lake.rewrite(BARS_1M, lambda old: old.clear(), symbol="QQQ", month="2024-06")
    clock.advance(timedelta(hours=1))
    assert lake.snapshot(BARS_1M, as_of=then).rows == 12
    assert lake.sweep(timedelta(0)).superseded == 2

    for narrowed in (
        {"symbol": "SPY"},
        {"symbol": "QQQ", "start": JUNE},
        {"symbol": ["SPY", "QQQ"], "month": "2024-06"},
    ):
        with pytest.raises(NotFound, match=r"bars_1m held at .* ask as of that moment or later"):
            lake.snapshot(BARS_1M, as_of=then, **narrowed)
    for narrowed in (
        {"symbol": "SPY", "start": JUNE},
        {"symbol": "QQQ", "end": JUNE},
        {"month": "2024-06", "symbol": "SPY"},
    ):
        assert lake.snapshot(BARS_1M, as_of=then, **narrowed).rows == 3
    assert lake.snapshot(BARS_1M, as_of=then + timedelta(hours=1)).rows == lake.snapshot(BARS_1M).rows == 9
