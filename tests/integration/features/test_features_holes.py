"""Holes in history: what comes after one is made as if history began there, until the hole is filled."""

from __future__ import annotations

from datetime import UTC, datetime

import features_support
import polars as pl
import pytest
from features_support import rows

from shared.contracts.datasets import BARS_1M
from shared.testing.markets import reverting_bars

MARCH, APRIL, MAY = (datetime(2024, month, 1, tzinfo=UTC) for month in (3, 4, 5))
YEARS_AGO = (datetime(2019, 2, 1, tzinfo=UTC), datetime(2019, 3, 1, tzinfo=UTC))
SEEDS = {"SPY": 1, "QMKT": 3, "VOLX": 4}


@pytest.fixture
def service(settings):
    with features_support.house(settings, SEEDS, MARCH, MAY) as wired:
        yield wired


def build(service, settings, symbol, name):
    return features_support.build(service, settings, symbol, name, start=YEARS_AGO[0], end=MAY)


def store(service, symbol, start, end, factor=1.0):
    """Store bars at other prices, so that whoever reads them shows it."""
    bars = reverting_bars(symbol, start, end, seed=50 + SEEDS[symbol])
    prices = ["open", "high", "low", "close"]
    service.resources.lake.upsert(BARS_1M, bars.with_columns(pl.col(prices) * factor))


def test_what_comes_after_a_hole_of_years_is_what_a_history_begun_there_gives(service, settings):
    build(service, settings, "SPY", "full")
    begun = rows(service, "SPY", "full")
    for symbol in SEEDS:
        store(service, symbol, *YEARS_AGO, factor=0.5)
    again = build(service, settings, "SPY", "full")
    assert [block["month"] for block in again["built"]] == ["2019-02"], "the others are found as they were"
    after = rows(service, "SPY", "full").filter(pl.col("ts") >= MARCH)
    assert after.equals(begun, null_equal=True)
    assert after["overnight_gap"].fill_nan(None).drop_nulls().abs().max() < 0.1, "five years are no night"


def test_bars_that_fill_a_hole_make_what_they_are_read_by_anew(service, settings):
    store(service, "SPY", *YEARS_AGO, factor=0.5)
    build(service, settings, "SPY", "core")
    parted = rows(service, "SPY", "core").filter(pl.col("ts") >= MARCH)
    # a night of 27 days: a hole no more
    store(service, "SPY", datetime(2024, 1, 29, tzinfo=UTC), datetime(2024, 2, 3, tzinfo=UTC))
    made = build(service, settings, "SPY", "core")
    assert [block["month"] for block in made["built"]] == ["2024-01", "2024-02", "2024-03"]
    joined = rows(service, "SPY", "core").filter(pl.col("ts") >= MARCH)
    assert parted["overnight_gap"].is_nan()[0]
    assert not joined["overnight_gap"].is_nan()[0]
