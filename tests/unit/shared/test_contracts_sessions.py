import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.sessions import MINUTE_US, all_sessions, sessions_between
from shared.errors import InvalidInput


def us(text: str) -> int:
    return int(np.datetime64(text, "us").astype(np.int64))


def test_2024_has_252_sessions_of_which_three_are_half_days():
    year = sessions_between(us("2024-01-01"), us("2025-01-01"))
    assert len(year) == 252
    assert sorted(set(year.minutes.tolist())) == [210, 390]
    assert year.date[year.minutes == 210].astype(str).tolist() == ["2024-07-03", "2024-11-29", "2024-12-24"]
    assert len(year.expected_minutes()) == 249 * 390 + 3 * 210


def test_the_open_moves_with_new_york_daylight_saving():
    days = sessions_between(us("2024-03-08"), us("2024-03-12"))
    assert days.open_us.tolist() == [us("2024-03-08T14:30"), us("2024-03-11T13:30")]


def test_a_session_is_half_open():
    days = sessions_between(us("2024-07-03"), us("2024-07-04"))
    first, last = us("2024-07-03T13:30"), us("2024-07-03T16:59")
    instants = np.array([first - 1, first, last, last + MINUTE_US])
    assert days.index_of(instants).tolist() == [-1, 0, 0, -1]
    assert days.minute_of(instants).tolist() == [-1, 0, 209, -1]


@given(start=st.integers(us("1995-01-01"), us("2030-01-01")), days=st.integers(1, 40))
def test_every_expected_minute_lies_in_the_session_it_belongs_to(start, days):
    span = sessions_between(start, start + days * 86_400_000_000)
    minutes = span.expected_minutes()
    assert len(minutes) == span.minutes.sum()
    assert (np.diff(minutes) > 0).all()
    assert (span.index_of(minutes) == np.repeat(np.arange(len(span)), span.minutes)).all()
    assert (span.minute_of(minutes) < np.repeat(span.minutes, span.minutes)).all()


def test_an_empty_span_has_no_minutes():
    christmas = sessions_between(us("2024-12-25"), us("2024-12-26"))
    assert len(christmas) == 0
    assert len(christmas.expected_minutes()) == 0
    assert christmas.index_of(np.array([us("2024-12-25T15:00")])).tolist() == [-1]


def test_a_span_outside_the_known_calendar_is_refused():
    with pytest.raises(InvalidInput, match="1926-01-02 to 2035-12-31"):
        sessions_between(us("2034-01-01"), us("2040-01-01"))
    assert len(all_sessions()) > 25_000
