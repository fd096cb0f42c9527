"""Statistics of columns, on columns whose figures are known."""

import numpy as np
import polars as pl
import pytest

from feature_service.domain.statistics import cluster, describe_columns, drift, forward_return

RNG = np.random.default_rng(5)
ROWS = 30_000


def test_figures_of_columns_that_were_made_to_have_them():
    ahead = RNG.normal(size=ROWS)
    signal = 0.3 * ahead + RNG.normal(size=ROWS)
    frame = pl.DataFrame(
        {
            "signal": signal,
            "twin": np.exp(-signal) + RNG.normal(0, 1e-3, ROWS),  # the same ranks, backwards
            "noise": RNG.normal(size=ROWS),
            "drifting": RNG.normal(size=ROWS) + np.where(np.arange(ROWS) > 0.7 * ROWS, 1.5, 0.0),
            "flat": np.full(ROWS, 3.0),
            "half": np.where(np.arange(ROWS) % 2 == 0, np.nan, RNG.normal(size=ROWS)),
            "empty": np.full(ROWS, np.nan),
        }
    )
    columns, correlation, whole = describe_columns(frame, dict.fromkeys(frame.columns, "test"), ahead, 1)
    assert whole == 0.0  # one of them is empty
    by_name = {one.name: one for one in columns}
    assert by_name["signal"].ic == pytest.approx(0.3 / np.sqrt(1.09), abs=0.02)
    assert by_name["signal"].ic_t > 30
    assert abs(by_name["noise"].ic) < 0.03
    assert by_name["signal"].psi < 0.02
    assert by_name["drifting"].psi > 0.25
    assert by_name["signal"].cluster == by_name["twin"].cluster == 0
    assert len({one.cluster for one in columns}) == len(columns) - 1
    assert correlation[0, 1] == pytest.approx(-1, abs=0.01)
    assert (by_name["flat"].constant, by_name["flat"].ic, by_name["flat"].sd) == (True, None, 0.0)
    assert (by_name["half"].missing, by_name["empty"].missing) == (0.5, 1.0)
    assert (by_name["empty"].mean, by_name["empty"].psi, by_name["empty"].ic) == (None, None, None)


def test_drift_is_the_sum_over_deciles():
    early = np.arange(1_000.0)
    late = np.repeat(np.arange(1_000.0)[early < 500], 2)
    # five deciles hold a fifth each instead of a tenth, five hold nothing (counted as half a row of 1,000)
    expected = 5 * 0.1 * np.log(2) + 5 * (0.0005 - 0.1) * np.log(0.0005 / 0.1)
    assert drift(early, late) == pytest.approx(expected, rel=0.02)
    assert drift(early[:50], late) is None


def test_clusters_are_joined_by_their_mean_and_numbered_by_size():
    correlation = np.eye(5)
    for a, b, value in ((1, 2, 0.95), (2, 4, -0.9), (1, 4, 0.6), (0, 3, 0.69)):
        correlation[a, b] = correlation[b, a] = value
    assert cluster(correlation).tolist() == [1, 0, 0, 2, 0]


def test_forward_returns_end_with_the_session():
    close, session = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 0, 0, 1])
    ahead = forward_return(close, np.arange(4), session, 1)
    assert ahead[:2] == pytest.approx([np.log(2), np.log(2)])
    assert np.isnan(ahead[2:]).all()
    assert np.isnan(forward_return(close, np.arange(4), session, 7)).all()
