"""What the live feed brought, hour by hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from ingestion_service.domain.feed import FeedSymbol, feed, first_hour

MINUTE = 60_000_000
#: a Friday, twenty minutes after noon in New York
NOW = datetime(2024, 6, 14, 16, 20, 30, tzinfo=UTC)


def minutes(start: datetime, count: int) -> np.ndarray:
    return int(start.timestamp()) * 1_000_000 + np.arange(count, dtype=np.int64) * MINUTE


def test_a_feed_counts_regular_minutes_that_are_over_and_those_that_came():
    opened = datetime(2024, 6, 14, 13, 30, tzinfo=UTC)
    stored = {
        "SPY": minutes(opened, 170),  # every minute up to now
        "TPL": minutes(opened, 40),
        "LATE": np.zeros(0, np.int64),
        "BTCUSD": minutes(datetime(2024, 6, 13, 17, tzinfo=UTC), 600),
    }
    errors = {datetime(2024, 6, 14, 15, tzinfo=UTC): 2, NOW - timedelta(days=3): 9}
    told = feed(NOW, stored, errors)
    assert told.symbols == [
        FeedSymbol(symbol="BTCUSD", expected=1400, stored=600),
        # the day before ends at 20:00; this day has 170 minutes so far
        FeedSymbol(symbol="LATE", expected=350, stored=0),
        FeedSymbol(symbol="TPL", expected=350, stored=40),
        FeedSymbol(symbol="SPY", expected=350, stored=170),
    ]
    by_hour = {f"{hour.start:%d %H}": (hour.expected, hour.stored, hour.errors) for hour in told.hours}
    assert len(by_hour) == 24
    assert told.hours[0].start == first_hour(NOW) == datetime(2024, 6, 13, 17, tzinfo=UTC)
    assert by_hour["13 17"] == (4 * 60, 60, 0)
    assert by_hour["14 03"] == (60, 0, 0)
    assert by_hour["14 13"] == (3 * 30 + 60, 30 + 30, 0)
    assert by_hour["14 15"] == (4 * 60, 60, 2)
    assert by_hour["14 16"] == (4 * 20, 20, 0)


def test_a_feed_of_no_symbol_expects_nothing():
    told = feed(NOW, {}, {})
    assert told.symbols == []
    assert {(hour.expected, hour.stored) for hour in told.hours} == {(0, 0)}
