"""When the live updater listens, what an agent's state is called, how far a symbol lags."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_service.domain.agents import SILENT_S, AgentRecord, state_word
from ingestion_service.domain.coverage import SessionCoverage
from ingestion_service.domain.live import LiveBar, raw_frames, usual_silence
from ingestion_service.domain.windows import last_closed_minute, minutes_behind, window_at

BEFORE, AFTER = timedelta(minutes=10), timedelta(minutes=20)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "begins", "ends"),
    [
        ("2024-07-03 12:00", "2024-07-03 13:20", "2024-07-03 17:20"),  # a half day
        ("2024-07-03 17:19:59", "2024-07-03 13:20", "2024-07-03 17:20"),
        ("2024-07-03 17:20", "2024-07-05 13:20", "2024-07-05 20:20"),  # over a holiday
        ("2024-07-05 21:00", "2024-07-08 13:20", "2024-07-08 20:20"),  # over a weekend
        ("2024-01-03 00:00", "2024-01-03 14:20", "2024-01-03 21:20"),  # in winter
    ],
)
def test_a_window_is_a_session_with_its_margins(now, begins, ends):
    window = window_at(at(now), BEFORE, AFTER)
    assert (window.begins, window.ends) == (at(begins), at(ends))


@given(st.integers(0, 39 * 365 * 1440))
def test_there_is_always_a_window_that_has_not_ended(minute):
    now = datetime(1995, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    window = window_at(now, BEFORE, AFTER)
    assert now < window.ends
    assert window.begins < window.opens < window.closes < window.ends
    assert window_at(window.ends, BEFORE, AFTER).begins >= window.ends
    assert 0 <= window.passed(now) < 1


@pytest.mark.parametrize(
    ("now", "closed"),
    [
        ("2024-07-03 13:30:59", "2024-07-02 19:59"),
        ("2024-07-03 13:31:00", "2024-07-03 13:30"),
        ("2024-07-03 18:00", "2024-07-03 16:59"),
        ("2024-07-07 12:00", "2024-07-05 19:59"),
    ],
)
def test_the_last_closed_minute_is_a_regular_one(now, closed):
    assert last_closed_minute(at(now)) == at(closed)


def test_a_coins_last_closed_minute_is_the_one_before_this():
    assert last_closed_minute(at("2024-07-07 12:00:30"), always_open=True) == at("2024-07-07 11:59")


def test_minutes_behind_counts_regular_minutes_only():
    assert minutes_behind(at("2024-07-03 16:59"), at("2024-07-05 13:30:30")) == 0
    assert minutes_behind(at("2024-07-03 16:58"), at("2024-07-05 13:32")) == 3


def test_of_a_coin_every_minute_counts():
    assert minutes_behind(at("2024-07-06 11:00"), at("2024-07-06 11:05:30"), always_open=True) == 4
    assert minutes_behind(at("2024-07-06 11:06"), at("2024-07-06 11:05:30"), always_open=True) == 0


@pytest.mark.parametrize(
    ("wanted", "job", "age", "alert", "due", "taken", "tried", "word"),
    [
        ("stopped", None, None, None, False, True, False, "stopped"),
        ("paused", None, None, None, False, True, False, "paused"),
        ("running", "RUNNING", 1.0, None, True, True, False, "running"),
        ("paused", "RUNNING", 1.0, None, True, True, False, "running"),
        ("running", "RUNNING", 1.0, "quiet", True, True, False, "alert"),
        ("running", "RUNNING", SILENT_S + 1, "quiet", True, True, False, "stale"),
        ("running", "PENDING", None, None, False, True, False, "waiting"),
        ("running", "PENDING", None, None, True, True, False, "starting"),
        ("running", "PENDING", None, None, True, False, False, "workerless"),
        ("running", "PENDING", None, None, False, True, True, "retrying"),
        ("running", "PENDING", None, None, False, False, True, "workerless"),
        ("running", "PENDING", None, None, False, False, False, "waiting"),
        ("running", None, None, None, False, True, False, "broken"),
    ],
)
def test_a_state_is_one_word(wanted, job, age, alert, due, taken, tried, word):
    record = AgentRecord(name="live", wanted=wanted, options={}, heartbeat_age_s=age, alert=alert)
    assert state_word(record, job, due=due, taken=taken, tried=tried) == word


def test_of_a_minute_said_twice_the_last_counts():
    def bar(symbol: str, minute: int, close: float) -> LiveBar:
        ts = at("2024-07-03 13:30") + timedelta(minutes=minute)
        return LiveBar(symbol=symbol, ts=ts, open=1, high=2, low=1, close=close, volume=None)

    frames = raw_frames([bar("A", 0, 1.0), bar("B", 0, 1.5), bar("A", 0, 1.25), bar("A", 1, 1.1)])
    assert frames["A"]["close"].to_list() == [1.25, 1.1]
    assert frames["B"]["close"].to_list() == [1.5]
    assert frames["B"]["volume"].to_list() == [None]


@pytest.mark.parametrize(
    ("stored", "minutes"), [(390, (5, 7)), (195, (39, 41)), (58, (150, 190)), (3, (390, 10_000)), (0, None)]
)
def test_how_long_a_symbol_may_be_silent_follows_from_how_dense_it_is(stored, minutes):
    day = SessionCoverage(
        date=date(2024, 7, 1), expected=390, stored=stored, outage=0, refused=0, silent=0, no_trade=390 - stored
    )
    silence = usual_silence([day] * 5)
    assert (silence is None) if minutes is None else (minutes[0] <= silence / timedelta(minutes=1) <= minutes[1])
    assert usual_silence([day] * 4) is None, "four days are too few"
