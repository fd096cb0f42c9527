"""What is the same many times in a row is one line, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from ingestion_service.domain.gaps import Gap, Why, gaps, missing
from ingestion_service.domain.lines import ask_lines, gap_lines
from ingestion_service.domain.spans import FailedAsk
from shared.testing.markets import reverting_bars

# Thursday is a holiday, Friday the 29th a half day
DAYS = [datetime(2024, 11, day, tzinfo=UTC) for day in (22, 25, 26, 27, 29)]
TS_US = reverting_bars("SPY", DAYS[0], datetime(2024, 12, 4, tzinfo=UTC), seed=3)["ts"].to_physical().to_numpy()
SESSION = 390


def lacking(symbol: str, *rows: tuple[int, int]) -> list[Gap]:
    gone = np.concatenate([np.arange(*span) for span in rows])
    return gaps(missing(symbol, np.delete(TS_US, gone), []))


def test_whole_sessions_in_a_row_are_one_line():
    week = lacking("SPY", (SESSION, 4 * SESSION + 210))
    assert [gap.minutes for gap in week] == [390, 390, 390, 210]
    (line,) = gap_lines("SPY", week)
    assert (line.start, line.end) == (week[0].start, week[-1].end)
    assert (line.minutes, line.sessions, line.why) == (1_380, 4, Why.OUTAGE)


def test_parts_of_sessions_other_reasons_and_sessions_with_bars_between_them_stay_apart():
    # a whole session and the first minutes of the next; a minute is there, then a whole one again
    found = lacking("SPY", (SESSION, 2 * SESSION + 5), (3 * SESSION, 3 * SESSION + 390))
    assert [(line.minutes, line.sessions) for line in gap_lines("SPY", found)] == [(390, 1), (5, 0), (390, 1)]
    week = lacking("SPY", (SESSION, 4 * SESSION))
    mixed = [week[0], replace(week[1], why=Why.REFUSED), week[2]]
    assert [line.sessions for line in gap_lines("SPY", mixed)] == [1, 1, 1]
    apart = [week[0], week[2]]
    assert [line.sessions for line in gap_lines("SPY", apart)] == [1, 1]
    assert gap_lines("SPY", []) == []


def test_a_coins_gaps_are_never_sessions():
    week = lacking("SPY", (SESSION, 3 * SESSION))
    assert [line.sessions for line in gap_lines("BTCUSD", week)] == [0, 0]


def test_the_same_answer_in_a_row_is_one_line():
    at = datetime(2024, 1, 1, tzinfo=UTC)
    first = FailedAsk(
        provider="feed", start=at, end=at + timedelta(days=31), kind="not_offered", reason="404", asks=2, first_at=at,
        last_at=at,
    )  # fmt: skip
    then = replace(first, start=first.end, end=first.end + timedelta(days=29), asks=1, last_at=at + timedelta(days=1))
    other = replace(then, reason="503", kind="unavailable")
    lines = ask_lines([first, then, other, replace(other, provider="second")])
    assert [(line.provider, line.spans, line.asks) for line in lines] == [
        ("feed", 2, 3),
        ("feed", 1, 1),
        ("second", 1, 1),
    ]
    assert (lines[0].start, lines[0].end, lines[0].last_at) == (at, then.end, then.last_at)
