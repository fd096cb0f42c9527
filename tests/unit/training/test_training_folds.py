"""Targets and folds: no label, and no training row, ever reaches where it must not."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.folds import minutes_before, walk_forward
from shared.contracts.messages import Folds
from shared.contracts.sessions import MINUTE_US, sessions_between
from shared.errors import InvalidInput
from training_service.domain.targets import log_return_labels


def us(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp() * 1e6)


#: nine weeks with a half day (2024-07-03) and two holidays
SESSIONS = sessions_between(us(2024, 5, 20), us(2024, 7, 22))


def some_minutes(seed, keep):
    ts = SESSIONS.expected_minutes()
    return ts[np.random.default_rng(seed).random(len(ts)) < keep]


@settings(max_examples=60, deadline=None)  # how long an example takes says nothing about it being right
@given(seed=st.integers(0, 99), keep=st.floats(0.2, 1.0), horizon=st.integers(1, 389))
def test_a_label_is_the_return_between_two_real_closes_of_one_session(seed, keep, horizon):
    ts = some_minutes(seed, keep)
    close = np.random.default_rng(seed).uniform(50, 150, len(ts))
    labels = log_return_labels(ts, close, SESSIONS, horizon)
    at = {int(moment): row for row, moment in enumerate(ts)}
    session = SESSIONS.index_of(ts)
    for row in np.random.default_rng(seed).choice(len(ts), 50):
        later = at.get(int(ts[row]) + horizon * MINUTE_US)
        if later is not None and session[later] == session[row]:
            assert labels.value[row] == np.log(close[later] / close[row])
        else:
            assert np.isnan(labels.value[row])
        assert labels.end_us[row] == ts[row] + (horizon + 1) * MINUTE_US


@settings(max_examples=20, deadline=None)
@given(
    keep=st.floats(0.2, 1.0), horizon=st.integers(1, 389), first=st.integers(1, 40), ratio=st.sampled_from([7.0, 0.25])
)
def test_no_label_crosses_a_split(keep, horizon, first, ratio):
    """Bars are as they were traded; a split comes between two sessions, and both ends of a label lie in one."""
    ts = some_minutes(4, keep)
    close = np.random.default_rng(4).uniform(50, 150, len(ts))
    traded = np.where(SESSIONS.index_of(ts) >= first, close / ratio, close)
    of_one_share, found = (log_return_labels(ts, one, SESSIONS, horizon).value for one in (close, traded))
    np.testing.assert_allclose(found, of_one_share, rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)  # how long an example takes says nothing about it being right
@given(
    seed=st.integers(0, 99),
    keep=st.floats(0.3, 1.0),
    horizon=st.integers(1, 120),
    train_days=st.integers(5, 20),
    test_days=st.integers(1, 10),
    embargo=st.integers(0, 500),
    anchored=st.booleans(),
)
def test_no_training_label_is_known_after_its_test_block_begins(
    seed, keep, horizon, train_days, test_days, embargo, anchored
):
    ts = some_minutes(seed, keep)
    labels = log_return_labels(ts, np.linspace(100, 101, len(ts)), SESSIONS, horizon)
    labelled = ~np.isnan(labels.value)
    spec = Folds(train_days=train_days, test_days=test_days, embargo_bars=embargo, anchored=anchored)
    tested = set()
    for fold in walk_forward(ts, labels.end_us, labelled, SESSIONS, spec):
        begins = int(SESSIONS.open_us[SESSIONS.index_of(ts[fold.test])[0]])
        assert labelled[fold.train].all()
        assert (labels.end_us[fold.train] <= begins).all()
        assert (minutes_before(labels.end_us[fold.train], begins, SESSIONS) >= embargo).all()
        assert not set(fold.train) & set(fold.test)
        assert (ts[fold.train] < begins).all()
        assert not tested & set(fold.test)  # every row is judged once
        tested |= set(fold.test)
        whole_sessions = np.isin(SESSIONS.index_of(ts), np.unique(SESSIONS.index_of(ts[fold.test])))
        assert (np.flatnonzero(whole_sessions) == fold.test).all()
        dropped = fold.purged + fold.embargoed
        first = 0 if anchored else SESSIONS.index_of(ts[fold.test])[0] - train_days
        candidates = labelled & (SESSIONS.index_of(ts) >= first) & (ts < begins)
        assert len(fold.train) + dropped == candidates.sum()


def test_an_overnight_gap_does_not_count_as_embargo():
    monday_close, tuesday_open = int(SESSIONS.close_us[0]), int(SESSIONS.open_us[1])
    assert minutes_before(np.array([monday_close - 10 * MINUTE_US]), tuesday_open, SESSIONS).tolist() == [10]
    assert minutes_before(np.array([monday_close]), tuesday_open, SESSIONS).tolist() == [0]
    assert minutes_before(np.array([tuesday_open + 5 * MINUTE_US]), tuesday_open, SESSIONS).tolist() == [-5]


def test_the_worked_example():
    """Ten sessions of training, five of test; a 15-minute label, 30 bars of embargo."""
    ts = SESSIONS.expected_minutes()
    labels = log_return_labels(ts, np.full(len(ts), 100.0), SESSIONS, 15)
    spec = Folds(train_days=10, test_days=5, embargo_bars=30)
    first = walk_forward(ts, labels.end_us, ~np.isnan(labels.value), SESSIONS, spec)[0]
    # Labels end inside their session, so nothing reaches the next morning: the embargo alone drops rows. Bars 0 to 374
    # have a label, known m + 16 minutes after the open; less than 30 before the end are bars 345 to 374.
    assert (first.purged, first.embargoed) == (0, 30)
    assert len(first.train) == 10 * 375 - 30
    assert len(first.test) == 5 * 390


def test_too_little_history_is_refused_with_what_is_needed():
    ts = SESSIONS.expected_minutes()
    labels = log_return_labels(ts, np.full(len(ts), 100.0), SESSIONS, 15)
    with pytest.raises(InvalidInput, match=r"sessions with bars are too few for one fold: train_days 100"):
        walk_forward(ts, labels.end_us, ~np.isnan(labels.value), SESSIONS, Folds(train_days=100, test_days=10))
