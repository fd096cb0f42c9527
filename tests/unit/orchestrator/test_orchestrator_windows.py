"""History is cut into disjoint, ordered, purged periods, whatever its length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service.domain.plan import Rules
from orchestrator_service.domain.windows import split_sessions, why_not_promotable
from shared.contracts.sessions import Sessions, all_sessions
from shared.errors import InvalidInput

KNOWN = all_sessions()


def history(count: int, first: int = 4_000) -> Sessions:
    rows = slice(first, first + count)
    return Sessions(KNOWN.date[rows], KNOWN.open_us[rows], KNOWN.close_us[rows])


def micros(moment) -> int:
    return round(moment.timestamp() * 1e6)


@given(count=st.integers(24, 2_000), select=st.integers(5, 400), confirm=st.integers(5, 400))
def test_periods_are_disjoint_ordered_purged_and_end_with_the_newest_session(count, select, confirm):
    sessions = history(count)
    periods = split_sessions(sessions, select, confirm)
    parts = [periods.train, periods.select, periods.confirm]
    rows = []
    for part in parts:
        inside = np.flatnonzero(
            (sessions.open_us >= micros(part.window.start)) & (sessions.close_us <= micros(part.window.end))
        )
        assert len(inside) == part.sessions >= 1
        rows.append(inside)
    train, chosen, sealed = rows
    assert train[0] == 0
    assert chosen[0] - train[-1] == 2  # one whole session purged between
    assert sealed[0] - chosen[-1] == 2  # one whole session embargoed between
    assert sealed[-1] == count - 1
    assert periods.select.sessions <= select
    assert periods.confirm.sessions <= confirm
    assert periods.whole().start == periods.train.window.start
    assert periods.whole().end == periods.confirm.window.end


def test_three_years_give_full_select_and_confirm():
    periods = split_sessions(history(750), 250, 250)
    assert [periods.train.sessions, periods.select.sessions, periods.confirm.sessions] == [248, 250, 250]
    assert why_not_promotable(periods, Rules()) is None


def test_one_year_is_cut_in_proportion_and_can_promote_nothing():
    periods = split_sessions(history(256), 250, 250)
    assert [periods.train.sessions, periods.select.sessions, periods.confirm.sessions] == [84, 85, 85]
    assert why_not_promotable(periods, Rules()) == (
        "the holdout is too short: 85 sessions, and at least 125 are needed to confirm anything; import more history"
    )


def test_confirm_takes_just_the_sessions_it_needs():
    """At 125 sealed sessions a run may promote, at 124 not."""
    longest = max(n for n in range(24, 500) if why_not_promotable(split_sessions(history(n), 250, 250), Rules()))
    assert split_sessions(history(longest), 250, 250).confirm.sessions == 124
    assert split_sessions(history(longest + 1), 250, 250).confirm.sessions == 125


def test_too_little_history_is_refused():
    with pytest.raises(InvalidInput, match="23 sessions of features are too few"):
        split_sessions(history(23), 250, 250)
