"""Spans, coverage, columns and times, retries."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_service.domain.columns import match_columns, read_times
from ingestion_service.domain.coverage import by_session, off_hours
from ingestion_service.domain.gaps import missing
from ingestion_service.domain.moments import in_us, moment_at
from ingestion_service.domain.spans import SETTLE, Span, by_month
from ingestion_service.settings import Settings
from ingestion_service.store.retry import RetryPolicy
from shared.contracts.sessions import MINUTE_US, sessions_between
from shared.errors import InvalidInput


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)


def test_spans_are_cut_at_the_first_of_each_month():
    pieces = by_month([Span(at(2023, 11, 15), at(2024, 2, 1)), Span(at(2024, 3, 1), at(2024, 3, 2))])
    assert [(piece.month, piece.start.day, piece.end) for piece in pieces] == [
        ("2023-11", 15, at(2023, 12, 1)),
        ("2023-12", 1, at(2024, 1, 1)),
        ("2024-01", 1, at(2024, 2, 1)),
        ("2024-03", 1, at(2024, 3, 2)),
    ]
    assert by_month([Span(at(2024, 1, 1), at(2024, 1, 1))]) == []


def minutes(start: datetime, end: datetime) -> np.ndarray:
    return sessions_between(*(int(moment.timestamp()) * 1_000_000 for moment in (start, end))).expected_minutes()


def counts(symbol: str, ts_us: np.ndarray) -> dict[str, int]:
    sessions = by_session(symbol, missing(symbol, ts_us, []))
    return {
        "sessions": sum(one.stored > 0 for one in sessions),
        "expected": len(sessions),
        "missing": sum(one.expected - one.stored for one in sessions),
        "off_hours": off_hours(symbol, ts_us),
    }


def test_holidays_and_half_days_are_not_missing():
    thanksgiving_week = minutes(at(2024, 11, 25), at(2024, 11, 30))
    assert counts("SPY", thanksgiving_week) == {"sessions": 4, "expected": 4, "missing": 0, "off_hours": 0}


def test_missing_minutes_sessions_and_off_hours_are_counted():
    week = minutes(at(2024, 11, 18), at(2024, 11, 23))
    kept = np.delete(week, np.r_[0, 100:110, 390:780, len(week) - 30 : len(week)])
    pre_market = kept[0] - 60 * MINUTE_US
    found = counts("SPY", np.sort(np.append(kept, pre_market)))
    # the minutes after the last bar have not come yet; the first session is expected from its open
    assert found == {"sessions": 4, "expected": 5, "missing": 1 + 10 + 390, "off_hours": 1}


def test_bars_of_a_weekend_are_off_hours():
    weekend = int(at(2024, 11, 23).timestamp()) * 1_000_000 + np.arange(600) * MINUTE_US
    assert counts("FLAT", weekend) == {"sessions": 0, "expected": 0, "missing": 0, "off_hours": 600}


def test_coins_have_days_for_sessions_and_no_closing_time():
    start = int(at(2024, 11, 22).timestamp()) * 1_000_000
    kept = np.delete(start + np.arange(3 * 1440) * MINUTE_US, np.r_[100:110, 1440:2880])
    assert counts("BTCUSD", kept) == {"sessions": 2, "expected": 3, "missing": 10 + 1440, "off_hours": 0}


def test_columns_are_found_by_common_names_and_by_the_users():
    assert match_columns(["Date", "Open", "High", "Low", "Close", "Vol", "x"], {}, "f")["volume"] == "Vol"
    assert match_columns(["t", "o", "h", "l", "Last", "c"], {"Last": "close"}, "f")["close"] == "Last"
    for found, named, why in (
        (["ts", "open"], {}, "no column for high, low, close; it has: ts, open"),
        (["ts", "open", "high", "low", "close"], {"Last": "close"}, "names 'Last', but it has"),
        (["ts", "open", "high", "low", "close"], {"close": "shut"}, "maps 'close' to 'shut'"),
        (["ts", "open", "high", "low", "a", "b"], {"a": "close", "b": "close"}, "maps two columns"),
    ):
        with pytest.raises(InvalidInput, match=why):
            match_columns(found, named, "f")


def test_times_are_read_in_their_zone():
    moment = at(2024, 1, 2, 14, 30)
    seconds = int(moment.timestamp())
    texts = ["2024-01-02 09:30", "2024-01-02T14:30:00Z", "2024-01-02 09:30:00-05:00", "2024-01-02T14:30:00.000+0000"]
    assert read_times(pl.Series("t", texts), "America/New_York").to_list() == [moment] * 4
    for numbers in ([seconds], [seconds * 10**3], [seconds * 10**6], [seconds * 10**9], [str(seconds)]):
        assert read_times(pl.Series("t", numbers), "UTC").to_list() == [moment]
    naive = pl.Series("t", [at(2024, 1, 2, 9, 30)]).dt.replace_time_zone(None)
    assert read_times(naive, "America/New_York").to_list() == [moment]
    assert read_times(pl.Series("t", [date(2024, 1, 2)]), "UTC").to_list() == [at(2024, 1, 2)]


def test_times_that_cannot_be_told_are_missing():
    texts = ["2024-03-10 02:30", "2024-11-03 01:30", "soon", None, "2024-13-45 09:30"]
    assert read_times(pl.Series("t", texts), "America/New_York").to_list() == [None] * 5
    with pytest.raises(InvalidInput, match="not a time"):
        read_times(pl.Series("t", [True]), "UTC")


def test_a_provider_that_says_when_is_obeyed_and_others_wait_longer_each_time():
    policy, now, chance = RetryPolicy(), at(2024, 1, 1), random.Random(1)
    assert 7 <= policy.wait_s(1, {"Retry-After": "7"}, now, chance) <= 7.1
    assert 5 <= policy.wait_s(1, {"Retry-After": "Mon, 01 Jan 2024 00:00:05 GMT"}, now, chance) <= 5.1
    limited = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(now.timestamp()) + 12)}
    assert 12 <= policy.wait_s(1, limited, now, chance) <= 12.1
    assert policy.wait_s(1, {"Retry-After": "86400"}, now, chance) <= policy.longest_obeyed_s + 0.1
    waits = [policy.wait_s(attempt, {"Retry-After": "soon"}, now, chance) for attempt in range(1, 12)]
    assert all(0.25 * 2**i <= wait <= 0.5 * 2**i for i, wait in enumerate(waits[:6]))
    assert max(waits) <= policy.longest_wait_s
    assert [status for status in (400, 401, 403, 404, 408, 422, 429, 500, 503) if policy.retries(status)] == [
        408, 429, 500, 503,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "host", "provider"),
    [
        ("http://127.0.0.1:8900", "http://127.0.0.1:8900", "simulated"),
        ("https://data.alpaca.markets/v2/", "https://data.alpaca.markets", "alpaca"),
        ("https://paper-api.alpaca.markets", "https://data.alpaca.markets", "alpaca"),
    ],
)
def test_synthetic_bars_are_never_called_alpacas(monkeypatch, url, host, provider):
    monkeypatch.setenv("ALPACA_API_BASE_URL", url)
    monkeypatch.setenv("ALPACA_API_KEY_ID", "AK")
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "hush")
    settings = Settings(database_url="postgresql://unused")
    assert (settings.alpaca_base_url, settings.alpaca_provider) == (host, provider)
    assert settings.alpaca_key_id.get_secret_value() == "AK"
    assert "hush" not in repr(settings)


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_moments_keep_their_microsecond(us):
    assert in_us(moment_at(us)) == us


def test_a_span_is_settled_only_twenty_minutes_later():
    assert timedelta(minutes=15) < SETTLE < timedelta(hours=1)
