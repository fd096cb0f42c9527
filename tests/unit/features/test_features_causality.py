"""The law of causality, for every feature of every set: the past never hears of the future.

Not of later bars of the symbol, and not of later bars of the symbols beside it. That estimations see nothing of the
month they serve is shown where they are made, in test_features_beside.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from feature_markets import random_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.catalogue import CORE, FULL, SETS
from feature_service.domain.feature import Feature
from feature_service.domain.regimes import MARKET_MIXTURE

#: seed and share of minutes that trade; the symbols beside it lack minutes of their own
MARKETS = [(1, 1.0), (2, 0.3), (3, 0.9)]


@lru_cache
def market(index: int) -> Bars:
    seed, keep = MARKETS[index]
    beside = {"volatility": random_bars(40 + seed, keep=0.97, price=17.0), "market": random_bars(50 + seed, keep=0.98)}
    fits = {MARKET_MIXTURE.name: MARKET_MIXTURE.fitted(random_bars(60 + seed))}
    return random_bars(seed, keep=keep).beside(beside, fits)


@lru_cache
def on_all_of_it(name: str, index: int) -> FloatArray:
    return FULL.feature(name).values(market(index))


def perturbed(bars: Bars, cut: int, rng: np.random.Generator) -> Bars:
    """The same past, and another market from row `cut` on."""
    factor = np.ones(len(bars))
    factor[cut:] = np.exp(np.cumsum(rng.normal(0, 0.01, len(bars) - cut)))
    prices = {name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")}
    return replace(bars, volume=bars.volume * factor**7, **prices)


def elsewhere(bars: Bars, cut: int, rng: np.random.Generator) -> Bars:
    """The same past, and another future of the symbols beside it too."""
    last = bars.ts_us[cut - 1]
    context = {
        role: perturbed(one, int(np.searchsorted(one.ts_us, last, side="right")), rng)
        for role, one in bars.context.items()
    }
    return replace(perturbed(bars, cut, rng), context=context)


def test_every_feature_of_every_set_is_looked_at():
    looked_at = set(FULL.columns)
    assert all(set(one.columns) <= looked_at for one in SETS.values())
    assert {role for one in FULL.features for role in one.context} == set(market(0).context)
    assert {fit.name for fit in FULL.fits} == set(market(0).fits)


@pytest.mark.parametrize("feature", FULL.features, ids=lambda one: one.name)
@settings(max_examples=15, deadline=None)
@given(index=st.integers(0, len(MARKETS) - 1), share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_prefix_and_future_leave_the_past_alone(feature: Feature, index: int, share: float, seed: int):
    bars = market(index)
    cut = max(1, round(share * len(bars)))
    whole = on_all_of_it(feature.name, index)
    assert np.array_equal(feature.values(bars.head(cut)), whole[:cut], equal_nan=True)
    changed = feature.values(elsewhere(bars, cut, np.random.default_rng(seed)))
    assert np.array_equal(changed[:cut], whole[:cut], equal_nan=True)


@pytest.mark.parametrize("feature", FULL.features, ids=lambda one: one.name)
def test_warm_up_is_what_the_declaration_says_and_nothing_is_infinite(feature: Feature):
    for index in range(len(MARKETS)):
        values, bars = on_all_of_it(feature.name, index), market(index)
        assert not np.isinf(values).any()
        if len(values) <= feature.warm_up:
            continue
        defined = np.flatnonzero(~np.isnan(values))
        # the first bars may lack what the declaration asks for; a gap later would be a hole in the data
        assert len(defined) == len(values) - defined[0]
        # what asks for the session before is defined from the second on, earlier where the first had few bars
        night = feature.warm_up >= 1 and defined[0] == np.flatnonzero(bars.first)[0]
        assert defined[0] == feature.warm_up or (night and defined[0] <= feature.warm_up)


def test_a_planted_look_ahead_is_caught_by_the_same_check():
    def centred(bars: Bars) -> FloatArray:
        return np.convolve(bars.close, np.ones(5) / 5, mode="same")

    def later_context(bars: Bars) -> FloatArray:
        other = bars.context["market"]
        return other.close[np.minimum(np.searchsorted(other.ts_us, bars.ts_us, side="right"), len(other) - 1)]

    bars = market(0)
    for compute in (centred, later_context):
        leaky = replace(CORE.feature("ibs"), name="leaky", compute=compute)
        whole = leaky.values(bars)[:500]
        assert not np.array_equal(leaky.values(bars.head(500)), whole)
        assert not np.array_equal(leaky.values(elsewhere(bars, 500, np.random.default_rng(0)))[:500], whole)
