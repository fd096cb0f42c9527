"""Digits: rolling statistics against exact arithmetic, and blocks against the history they are cut from."""

import math
import tracemalloc
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from feature_markets import bars_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, bars_of, usable
from feature_service.domain.blocks import WARM_UP_BARS
from feature_service.domain.catalogue import FULL
from feature_service.domain.feature import Feature

#: cents a minute at prices near 10,000, now and then a jump of up to a fifth
STEPS = st.lists(st.integers(-5, 5) | st.sampled_from([-200_000, -12_345, 12_345, 200_000]), min_size=70, max_size=140)


def exact(window: list[float]) -> tuple[Fraction, Fraction]:
    """Mean and population variance without rounding."""
    values = [Fraction(value) for value in window]
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / len(values)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, window=st.sampled_from([5, 20, 60]))
def test_means_and_deviations_near_10_000_are_exact_to_nine_digits(steps, window):
    price = np.maximum(1_000_000 + np.cumsum(steps), 500_000) / 100
    means, spreads = rolling.mean(price, window), rolling.std(price, window, ddof=0)
    for row in range(window - 1, len(price)):
        mean, variance = exact(price[row - window + 1 : row + 1].tolist())
        assert abs(Fraction(means[row]) - mean) <= Fraction(1e-12) * mean
        spread = math.sqrt(variance)
        assert abs(spreads[row] - spread) <= 1e-9 * spread


@settings(max_examples=15, deadline=None)
@given(
    returns=st.lists(st.floats(-0.05, 0.05) | st.just(0.0) | st.floats(-1e-4, 1e-4), min_size=60, max_size=100),
    window=st.sampled_from([20, 30]),
)
def test_root_mean_squares_are_exact_to_nine_digits_of_what_went_through_the_window(returns, window):
    values = np.array(returns)
    found = rolling.root_mean_square(values, window)
    for row in range(window - 1, len(values)):
        squares = sum(Fraction(value) ** 2 for value in values[row - window + 1 : row + 1].tolist()) / window
        # what is left of a 5 % move after it has gone: less than a ten-millionth of a cent on 100
        assert found[row] == pytest.approx(math.sqrt(squares), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("window", [2, 7, 20])
@pytest.mark.parametrize("least", [1, 2])
def test_means_of_what_is_known_are_exact_to_nine_digits_and_zero_where_all_of_it_is(window: int, least: int):
    rng = np.random.default_rng(window)
    # now and then a value beside which the digits of the others are lost
    values = rng.choice([math.nan, 0.0, 1e-3, 1e-3, 1e6], 500, p=[0.2, 0.1, 0.3, 0.3, 0.1]) * rng.uniform(1, 2, 500)
    values[200:250] = 0.0
    for row, mean in enumerate(rolling.mean(values, window, least)):
        known = [Fraction(one) for one in values[max(row - window + 1, 0) : row + 1].tolist() if not math.isnan(one)]
        if len(known) < least:
            assert math.isnan(mean)
        else:
            assert mean == pytest.approx(float(sum(known) / len(known)), rel=1e-9, abs=0.0)


@lru_cache
def history(price: float) -> Bars:
    """Some 28,000 bars."""
    rng = np.random.default_rng(11)
    frame = bars_frame(rng, datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 4, 13, tzinfo=UTC), price=price)
    return bars_of(usable(frame))


@lru_cache
def after_warm_up(price: float) -> tuple[int, Bars]:
    whole = history(price)
    cut = len(whole) - 3_000
    start = cut - WARM_UP_BARS
    parts = {name: getattr(whole, name)[start:] for name in ("ts_us", "open", "high", "low", "close", "volume")}
    parts |= {name: getattr(whole, name)[start:] for name in ("minute", "weekday", "remaining")}
    return cut, Bars(first=np.maximum(whole.first[start:] - start, 0), **parts)


@pytest.mark.parametrize("price", [10_000.0])
@pytest.mark.parametrize("feature", FULL.features, ids=lambda one: one.name)
def test_after_the_warm_up_a_block_equals_the_continuous_history_to_nine_digits(feature: Feature, price: float):
    cut, block = after_warm_up(price)
    whole = feature.values(history(price))[cut:]
    found = feature.values(block)[WARM_UP_BARS:]
    assert np.array_equal(np.isnan(found), np.isnan(whole))
    if feature.cumulative:  # levels differ by what history had summed up before, and by nothing else
        found, whole = found - found[0], whole - whole[0]
    known = ~np.isnan(whole)
    scale = np.maximum(np.abs(whole[known]), np.median(np.abs(whole[known])) if known.any() else 0)
    assert (np.abs(found[known] - whole[known]) <= 1e-9 * scale).all()


def test_what_is_in_prices_is_stored_with_the_digits_prices_need():
    _, bars = after_warm_up(10_000.0)
    stored = FULL.compute(bars)
    for feature in FULL.features:
        values = feature.values(bars)
        if feature.stored == "float64":
            assert np.array_equal(stored[feature.name].to_numpy(), values, equal_nan=True)
        elif "volume" not in feature.inputs:
            # a price near 10,000 in float32 would have lost its cents
            assert not (np.abs(values) > 5_000).any(), feature.name


def test_the_memory_of_one_block_is_bounded():
    _, bars = after_warm_up(10_000.0)
    FULL.compute(bars.head(500))  # what is compiled and imported once
    tracemalloc.start()
    FULL.compute(bars)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # every column and every shared intermediate once, in float64: 8 bytes each for some 300 of them
    assert peak < 300 * 8 * len(bars)
