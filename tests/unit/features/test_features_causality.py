"""The law of causality, for every feature: the past never hears of the future."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from feature_markets import random_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.catalogue import CORE
from feature_service.domain.feature import Feature

MARKETS = [(1, 1.0), (2, 0.3), (3, 0.9)]


@lru_cache
def market(index: int) -> Bars:
    seed, keep = MARKETS[index]
    return random_bars(seed, keep=keep)


@lru_cache
def on_all_of_it(name: str, index: int) -> FloatArray:
    return CORE.feature(name).values(market(index))


def perturbed(bars: Bars, cut: int, rng: np.random.Generator) -> Bars:
    """The same past, and another market from row `cut` on."""
    factor = np.ones(len(bars))
    factor[cut:] = np.exp(np.cumsum(rng.normal(0, 0.01, len(bars) - cut)))
    prices = {name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")}
    return replace(bars, volume=bars.volume * factor**7, **prices)


@pytest.mark.parametrize("feature", CORE.features, ids=lambda one: one.name)
@settings(max_examples=12, deadline=None)
@given(index=st.integers(0, len(MARKETS) - 1), share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_prefix_and_future_leave_the_past_alone(feature: Feature, index: int, share: float, seed: int):
    bars = market(index)
    cut = max(1, round(share * len(bars)))
    whole = on_all_of_it(feature.name, index)
    assert np.array_equal(feature.values(bars.head(cut)), whole[:cut], equal_nan=True)
    changed = feature.values(perturbed(bars, cut, np.random.default_rng(seed)))
    assert np.array_equal(changed[:cut], whole[:cut], equal_nan=True)


@pytest.mark.parametrize("feature", CORE.features, ids=lambda one: one.name)
def test_warm_up_is_what_the_declaration_says_and_nothing_is_infinite(feature: Feature):
    for index in range(len(MARKETS)):
        values, bars = on_all_of_it(feature.name, index), market(index)
        defined = np.flatnonzero(~np.isnan(values))
        assert not np.isinf(values).any()
        # the first bars may lack what the declaration asks for; a gap later would be a hole in the data
        assert len(defined) == len(values) - defined[0]
        if feature.name == "overnight_gap":
            assert defined[0] == np.flatnonzero(bars.first)[0] <= feature.warm_up
        else:
            assert defined[0] == feature.warm_up


def test_a_planted_look_ahead_is_caught_by_the_same_check():
    def centred(bars: Bars) -> FloatArray:
        return np.convolve(bars.close, np.ones(5) / 5, mode="same")

    leaky = replace(CORE.feature("ibs"), name="leaky", compute=centred)
    bars = market(0)
    assert not np.array_equal(leaky.values(bars.head(500)), leaky.values(bars)[:500])
