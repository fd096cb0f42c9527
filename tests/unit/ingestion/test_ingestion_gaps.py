"""Missing minutes and their reasons, bars made up for them, and how sessions are covered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion_service.domain.coverage import by_session
from ingestion_service.domain.filling import filled_bars
from ingestion_service.domain.gaps import Why, covered, gaps, missing
from ingestion_service.domain.spans import Answered, Span
from shared.contracts.datasets import TS
from shared.contracts.sessions import MINUTE_US, sessions_between
from shared.testing.markets import reverting_bars

MONDAY, SATURDAY = datetime(2024, 11, 25, tzinfo=UTC), datetime(2024, 11, 30, tzinfo=UTC)  # Friday is a half day
BARS = reverting_bars("SPY", MONDAY, SATURDAY, seed=2)
TS_US = BARS["ts"].to_physical().to_numpy()


def answer(start: datetime, end: datetime, provider: str = "feed", *, empty: bool = False) -> Answered:
    return Answered(provider=provider, start=start, end=end, empty=empty)


def without(*rows: int) -> np.ndarray:
    return np.delete(TS_US, rows)


def test_an_answered_minute_is_no_trade_an_index_is_never_silent_and_the_rest_is_an_outage():
    week = answer(MONDAY, SATURDAY)
    for symbol, answered, why in (
        ("SPY", [week], Why.NO_TRADE),
        ("VIX", [week], Why.SILENT),
        ("SPY", [], Why.OUTAGE),
        ("VIX", [answer(MONDAY, MONDAY + timedelta(hours=15))], Why.OUTAGE),
        ("SPY", [answer(MONDAY, SATURDAY, empty=True)], Why.OUTAGE),  # who knows nothing says nothing
        ("SPY", [answer(MONDAY, SATURDAY, empty=True), answer(SATURDAY, SATURDAY + timedelta(days=1))], Why.NO_TRADE),
    ):
        found = missing(symbol, without(100, 101), answered)
        assert found.counts() == {why: 2}
        assert [(gap.minutes, gap.why) for gap in gaps(found)] == [(2, why)]


def test_a_run_of_missing_minutes_ends_with_its_session_and_with_its_reason():
    partly = answer(MONDAY, MONDAY + timedelta(hours=14, minutes=32))
    found = gaps(missing("SPY", without(0, 1, 2, 3, 389, 390, 391), [partly]))
    assert [(gap.start.hour, gap.start.minute, gap.minutes, gap.why) for gap in found] == [
        (14, 30, 2, Why.NO_TRADE), (14, 32, 2, Why.OUTAGE), (20, 59, 1, Why.OUTAGE), (14, 30, 2, Why.OUTAGE),
    ]  # fmt: skip
    assert all(gap.end - gap.start == timedelta(minutes=gap.minutes) for gap in found)


def test_half_days_and_holidays_are_not_missing():
    assert missing("SPY", TS_US, []).counts() == {}
    assert [one.expected for one in by_session("SPY", missing("SPY", TS_US, []))] == [390, 390, 390, 210]


def test_crypto_trades_on_weekends():
    weekend = int(SATURDAY.timestamp()) * 1_000_000 + np.arange(3_000) * MINUTE_US
    found = missing("BTCUSD", np.delete(weekend, [5, 2_000]), [])
    assert found.counts() == {Why.OUTAGE: 2}
    days = by_session("BTCUSD", found)
    assert [(day.expected, day.stored) for day in days] == [(1_440, 1_439), (1_440, 1_439), (120, 120)]


def test_a_file_of_a_coin_covers_its_days_and_no_session_cuts_its_gaps_or_fills():
    begin = int(datetime(2024, 11, 30, 22, tzinfo=UTC).timestamp()) * 1_000_000  # a Saturday night to Monday's session
    week = begin + np.arange(3_000) * MINUTE_US
    quiet, hole = [300, 301, 900], list(range(110, 131))  # two minutes on Sunday night; twenty-one over midnight
    stored_us = np.delete(week, [*quiet, *hole])
    moments = [datetime.fromtimestamp(week[row] / 1e6, UTC) for row in (0, 110, 131, 2_999)]
    assert covered("BTCUSD", stored_us)[1] == [
        Span(moments[0], moments[1]), Span(moments[2], moments[3] + timedelta(minutes=1)),
    ]  # fmt: skip
    answered = [answer(span.start, span.end, "files") for span in covered("BTCUSD", stored_us)[1]]
    found = missing("BTCUSD", stored_us, answered)
    assert found.counts() == {Why.NO_TRADE: 3, Why.OUTAGE: 21}
    assert [(gap.minutes, gap.why) for gap in gaps(found)] == [(21, Why.OUTAGE), (2, Why.NO_TRADE), (1, Why.NO_TRADE)]
    bars = pl.concat([BARS] * 3).head(len(stored_us))
    bars = bars.with_columns(ts=pl.Series(stored_us).cast(TS), symbol=pl.lit("BTCUSD"))
    assert filled_bars(bars, week[hole], "BTCUSD", 9)["ts"].to_physical().to_list() == week[hole].tolist()


def test_sessions_add_up():
    partly = [answer(MONDAY, MONDAY + timedelta(days=1))]
    kept = without(*range(50, 60), *range(700, 730))
    found = missing("SPY", kept, partly)
    sessions = by_session("SPY", found)
    assert [(one.stored, one.no_trade, one.outage, one.silent) for one in sessions] == [
        (380, 10, 0, 0), (360, 0, 30, 0), (390, 0, 0, 0), (210, 0, 0, 0),
    ]  # fmt: skip
    assert all(one.expected == one.stored + one.outage + one.refused + one.silent + one.no_trade for one in sessions)


@pytest.mark.parametrize("symbol", ["SPY", "VIX"])
def test_a_minute_whose_row_was_refused_is_a_gap_although_it_was_answered(symbol: str):
    kept = np.delete(TS_US, [100, 101, 200, 400])
    refused = np.append(TS_US[[101, 200]] + 17_000_000, TS_US[300])  # off the minute; the last one came again, sound
    spans = [answer(datetime(2024, 11, 25, tzinfo=UTC), datetime(2024, 11, 26, tzinfo=UTC), "alpaca")]
    found = missing(symbol, kept, spans, refused)
    quiet = Why.SILENT if symbol == "VIX" else Why.NO_TRADE
    assert [(gap.minutes, gap.why) for gap in gaps(found)] == [
        (1, quiet), (1, Why.REFUSED), (1, Why.REFUSED), (1, Why.OUTAGE),
    ]  # fmt: skip
    assert found.counts() == {Why.OUTAGE: 1, Why.REFUSED: 2, quiet: 1}
    assert found.gaps_us().tolist() == TS_US[[100, 101, 200, 400] if symbol == "VIX" else [101, 200, 400]].tolist()
    first = by_session(symbol, found)[0]
    assert (first.stored, first.refused, first.gap_minutes) == (387, 2, 3 if symbol == "VIX" else 2)


def test_a_row_that_was_refused_is_an_answer_of_its_minute():
    found = missing("SPY", np.delete(TS_US, [100, 101]), [], TS_US[[101]])
    assert [(gap.minutes, gap.why) for gap in gaps(found)] == [(1, Why.OUTAGE), (1, Why.REFUSED)]


def test_a_file_covers_the_sessions_it_has_bars_of_and_the_last_one_to_its_last_bar():
    opens = [datetime(2024, 11, day, 14, 30, tzinfo=UTC) for day in (25, 26, 27, 29)]
    kept = np.concatenate([TS_US[2:390], TS_US[780:1_170], TS_US[1_170:1_200]])  # without Tuesday, Friday cut
    assert covered("SPY", kept)[1] == [
        Span(opens[0], opens[0] + timedelta(minutes=390)),
        Span(opens[2], opens[3] + timedelta(minutes=30)),
    ]
    assert covered("SPY", TS_US[:0]) == ([], [])
    assert covered("SPY", TS_US - 8 * 3_600_000_000) == ([], [])  # bars off hours answer for no session


def test_a_file_does_not_answer_for_a_hole_in_a_busy_session():
    opens = [datetime(2024, 11, day, 14, 30, tzinfo=UTC) for day in (25, 26, 27, 29)]
    end = opens[3] + timedelta(minutes=210)
    assert covered("SPY", TS_US)[1] == [Span(opens[0], end)]
    hole = covered("SPY", without(*range(100, 103)))[1]
    assert hole == [
        Span(opens[0], opens[0] + timedelta(minutes=100)), Span(opens[0] + timedelta(minutes=103), end),
    ]  # fmt: skip
    assert covered("SPY", without(100, 101, 200))[1] == [Span(opens[0], end)]  # a minute or two without a trade happen
    at_the_edges = covered("SPY", without(*range(380, 395)))[1]
    assert at_the_edges == [
        Span(opens[0], opens[0] + timedelta(minutes=380)), Span(opens[1] + timedelta(minutes=5), end),
    ]  # fmt: skip
    several = without(*range(60, 120), *range(200, 260), *range(300, 303))  # of one session
    for kept in (several, several[:207]):  # beside whole sessions, and alone
        pieces = covered("SPY", kept)[1]
        assert [(span.end - span.start) // timedelta(minutes=1) for span in pieces][:3] == [60, 80, 40]
        assert pieces[1].start == opens[0] + timedelta(minutes=120)
    seldom = covered("SPY", TS_US[::9])[1]  # a symbol that trades every nine minutes
    assert seldom == [Span(opens[0], opens[3] + timedelta(minutes=208))]


def test_a_file_is_judged_with_what_is_stored_of_its_sessions():
    opens = datetime(2024, 11, 25, 14, 30, tzinfo=UTC)
    stored = without(*range(100, 160))[:330]  # of one session
    whole = Span(opens, opens + timedelta(minutes=390))
    answered = [Span(opens, opens + timedelta(minutes=100)), Span(opens + timedelta(minutes=160), whole.end)]
    one_bar, due = TS_US[[50]], int(TS_US[389])
    assert covered("SPY", stored, None, due) == ([whole], answered)
    assert covered("SPY", one_bar, stored, due) == ([whole], answered)
    assert covered("SPY", one_bar, None, due) == ([whole], [whole])  # alone it may be one that hardly trades
    # a session that goes on to what is stored of it
    assert covered("SPY", one_bar, TS_US[:200])[0] == [Span(opens, opens + timedelta(minutes=200))]
    # how it trades on the days around tells what a hole is
    assert covered("SPY", one_bar, TS_US[390:], due) == (
        [whole], [Span(opens + timedelta(minutes=50), opens + timedelta(minutes=51))]
    )  # fmt: skip


def test_a_hole_is_filled_from_its_middle_in_rounds():
    hole = list(range(100, 107))
    bars = BARS.filter(~pl.int_range(pl.len()).is_in(hole))
    made = [filled_bars(bars, TS_US[hole], "SPY", rounds) for rounds in (1, 2, 3, 9)]
    assert [frame.height for frame in made] == [1, 3, 7, 7]
    before, after = BARS.row(99, named=True), BARS.row(107, named=True)
    middle = made[0].row(0, named=True)
    assert middle["ts"] == BARS["ts"][103]
    assert all(middle[name] == (before[name] + after[name]) / 2 for name in ("open", "high", "low", "close", "volume"))
    assert set(made[3]["source"]) == {"filled"}
    assert made[3].schema == BARS.schema


def test_nothing_is_filled_over_the_border_of_a_session_or_outside():
    hole = [0, 1, 388, 389, 390, 391, TS_US.size - 1]
    bars = BARS.filter(~pl.int_range(pl.len()).is_in(hole))
    assert filled_bars(bars, TS_US[hole], "SPY", 9).is_empty()
    night = np.array([TS_US[389] + 60 * MINUTE_US])
    assert filled_bars(BARS, night, "SPY", 9).is_empty()


@settings(max_examples=60)
@given(st.sets(st.integers(0, TS_US.size - 1), max_size=60), st.integers(1, 9))
def test_fills_are_sound_bars_between_their_bounds_and_more_rounds_only_add(rows, rounds):
    chosen = sorted(rows)
    bars = BARS.filter(~pl.int_range(pl.len()).is_in(chosen))
    made = filled_bars(bars, TS_US[chosen], "SPY", rounds)
    assert set(made["ts"]) <= set(pl.Series(TS_US[chosen]).cast(TS))
    assert ((made["low"] <= made["open"]) & (made["close"] <= made["high"])).all()
    more = filled_bars(bars, TS_US[chosen], "SPY", 9)
    assert made.join(more, on=made.columns, how="anti").is_empty()
    session = sessions_between(int(TS_US[0]), int(TS_US[-1]) + MINUTE_US).index_of(TS_US)
    first, last = np.searchsorted(session, range(4)), np.searchsorted(session, range(4), side="right") - 1
    left = [row for row in chosen if TS_US[row] not in set(more["ts"].to_physical())]
    for row in left:  # a hole that stays touches the open or the close
        begin, end = first[session[row]], last[session[row]]
        assert set(range(begin, row)) <= set(chosen) or set(range(row, end + 1)) <= set(chosen)


@pytest.mark.parametrize("symbol", ["SPY", "VIX"])
def test_no_bars_miss_nothing(symbol):
    assert gaps(missing(symbol, TS_US[:0], [])) == []
