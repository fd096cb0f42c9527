"""A factor between two providers' bars is told from the noise of their feeds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_service.domain.comparing import factor_between


def closes(count: int, seed: int = 1, factor: float = 1.0, noise: float = 0.0) -> pl.DataFrame:
    begin = datetime(2024, 5, 1, 13, 30, tzinfo=UTC)
    walk = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 1e-3, count)))
    rng = np.random.default_rng(seed)
    prices = 100 * walk * factor * np.exp(rng.normal(0, noise, count))
    return pl.DataFrame({"ts": [begin + timedelta(minutes=row) for row in range(count)], "close": prices})


@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e-5, 1e-4, 1e-3, 5e-3]), st.integers(10, 90))
def test_noise_is_no_factor(seed, noise, count):
    assert factor_between(closes(count), closes(count, seed, noise=noise)) is None


@given(st.integers(0, 10_000), st.sampled_from([0.25, 0.995, 0.998, 1.002, 1.005, 3.0]), st.integers(10, 90))
def test_an_adjustment_is(seed, factor, count):
    assert factor_between(closes(count), closes(count, seed, factor, noise=1e-4)) == pytest.approx(factor, rel=2e-4)


def test_few_minutes_and_rows_that_are_no_bars_tell_nothing():
    ours = closes(40)
    assert factor_between(ours, closes(9, factor=3.0)) is None
    broken = closes(40, factor=3.0).with_columns(
        close=pl.when(pl.int_range(pl.len()) > 8).then(np.nan).otherwise("close")
    )
    assert factor_between(ours, broken) is None
    assert factor_between(ours, ours[:0]) is None
