"""Bars of days on which nothing trades are told from bars outside regular hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_service.domain.hours import on_closed_days
from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.validation import Reason, screen
from shared.contracts.datasets import TS
from shared.contracts.sessions import all_sessions

NEW_YORK = ZoneInfo("America/New_York")
SESSIONS = frozenset(all_sessions().date.tolist())


def closed(symbol: str, *moments: datetime | None) -> list[bool]:
    stamps = pl.Series("ts", [moment and moment.astimezone(UTC) for moment in moments], TS)
    return on_closed_days(stamps.to_frame().with_columns(symbol=pl.lit(symbol))).to_list()


@pytest.mark.parametrize(
    ("local", "is_closed"),
    [
        ("2024-03-08 19:59", False),  # Friday's extended hours, the weekend of the change to summer time
        ("2024-03-08 20:00", True),
        ("2024-03-09 12:00", True),
        ("2024-03-10 19:59", True),
        ("2024-03-10 20:00", False),  # the overnight venues begin Monday
        ("2024-03-11 03:15", False),
        ("2024-11-03 19:59", True),  # and of the change back
        ("2024-11-03 20:00", False),
        ("2024-11-27 20:00", True),  # Thanksgiving's day begins the evening before
        ("2024-11-28 12:00", True),
        ("2024-11-28 20:00", False),
        ("2024-11-29 14:30", False),  # after a half day's close
        ("2025-01-09 12:00", True),  # a day of mourning
    ],
)
def test_a_day_lasts_from_the_evening_before_to_the_end_of_extended_hours(local, is_closed):
    moment = datetime.fromisoformat(local).replace(tzinfo=NEW_YORK)
    for symbol in ("SPY", "BRK.B", "VIX9D"):
        assert closed(symbol, moment) == [is_closed]


def test_of_coins_and_currencies_the_exchanges_calendar_says_nothing():
    saturday = datetime(2024, 3, 9, 12, tzinfo=UTC)
    assert closed("SPY", saturday, None) == [True, False]
    for symbol in ("BTCUSD", "EURUSD", "BTCEUR"):
        assert closed(symbol, saturday, None) == [False, False]


@given(st.dates(date(1990, 1, 3), date(2035, 12, 30)), st.times())
def test_what_is_closed_agrees_with_the_calendar_of_dates(day, time):
    evening = timedelta(days=time.hour >= 20)
    assert closed("SPY", datetime.combine(day, time, NEW_YORK)) == [day + evening not in SESSIONS]


def test_such_bars_are_refused_and_the_other_symbols_of_the_same_answer_are_not():
    friday = datetime(2024, 5, 3, 13, 30, tzinfo=UTC)
    days = (0, 1, 1, 3)
    rows = pl.DataFrame(
        [(friday + timedelta(days=day), 1.0, 2.0, 1.0, 2.0, 5.0 + row) for row, day in enumerate(days)],
        schema=RAW_SCHEMA,
        orient="row",
    )
    stock = screen(rows, "SPY", "files")
    assert stock.bars["ts"].to_list() == [friday, friday + timedelta(days=3)]
    assert stock.rejected == {Reason.CLOSED_DAY: 2}
    coin = screen(rows, "BTCUSD", "files")
    assert coin.bars.height == 3
    assert coin.rejected == {Reason.DUPLICATE: 1}
