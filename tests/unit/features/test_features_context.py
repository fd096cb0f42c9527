"""Context and regimes: what is seen of other symbols, and what stands there when there is nothing to see."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from feature_markets import bars_frame, random_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.domain import context, regimes
from feature_service.domain.alignment import as_of
from feature_service.domain.bars import Bars, bars_of, usable
from feature_service.domain.regimes.mixture import fit_mixture, label, rolling_mode, state

COLUMNS = {one.name: one for one in (*context.FEATURES, *regimes.FEATURES)}
READING = [one for one in COLUMNS.values() if one.context]


@lru_cache
def market() -> Bars:
    """A thin symbol beside a proxy and a market that lack minutes too, and a mixture of earlier days."""
    others = {"volatility": random_bars(11, keep=0.95, price=17.0), "market": random_bars(12, keep=0.97)}
    fits = {"market_mixture": fit_mixture(random_bars(13), components=3, window=390)}
    return random_bars(10, keep=0.6).beside(others, fits)


def without(bars: Bars, *roles: str) -> Bars:
    return bars.beside({role: one for role, one in bars.context.items() if role not in roles}, bars.fits)


@pytest.mark.parametrize("feature", READING, ids=lambda one: one.name)
def test_missing_context_is_a_stated_default_and_a_flag_never_nan(feature):
    bare = market().beside({}, {})
    values = feature.values(bare)
    flags = dict.fromkeys(("vix_missing", "qqq_missing", "context_missing"), 1.0)
    default = {"vix_rel_vol": 1.0, "qqq_beta": 1.0, "regime_vix": -1.0, "regime_gmm": -1.0, **flags}
    assert (values == default.get(feature.name, 0.0)).all()
    assert "context is missing" in feature.compute.__doc__ or feature.name in {*flags, "regime_gmm"}
    whole = feature.values(market())
    assert np.isfinite(whole).all()
    assert not (whole == values).all()


def test_the_flag_is_up_exactly_where_a_default_stands_for_lack_of_bars():
    bars = market()
    flag = COLUMNS["context_missing"].values(bars)
    assert 0 < flag.mean() < 0.5
    own = {"volatility": "vix_missing", "market": "qqq_missing"}
    for role, name in own.items():
        bare = without(bars, role)
        assert (COLUMNS["context_missing"].values(bare) == 1).all()
        raised = {one: COLUMNS[one].values(bare).mean() for one in own.values()}
        assert [one for one, share in raised.items() if share == 1] == [name], "the other's columns are real"
    assert np.array_equal(flag, np.maximum(*(COLUMNS[name].values(bars) for name in own.values())))
    # nobody has the market from 15:00 to 17:00
    frame = usable(bars_frame(np.random.default_rng(12), keep=0.97)).filter(~pl.col("ts").dt.hour().is_in([15, 16]))
    holed = bars.beside({**bars.context, "market": bars_of(frame)}, bars.fits)
    stale = as_of(holed.ts_us, holed.context["market"].ts_us, context.MAX_AGE * 60_000_000) < 0
    assert 0.2 < stale.mean() < 0.4
    assert (COLUMNS["context_missing"].values(holed)[stale] == 1).all()
    assert (COLUMNS["qqq_return"].values(holed)[stale] == 0).all()


def test_values_come_from_the_bar_of_the_same_minute_else_from_the_last_before_it():
    bars = market()
    proxy = bars.context["volatility"]
    returns = np.log(proxy.close / np.where(np.arange(len(proxy)) > proxy.first, np.roll(proxy.close, 1), proxy.open))
    ours = COLUMNS["vix_log_ret"].values(bars)
    for row in np.random.default_rng(0).choice(len(bars), 200):
        before = np.flatnonzero(proxy.ts_us <= bars.ts_us[row])
        fresh = len(before) and bars.ts_us[row] - proxy.ts_us[before[-1]] <= context.MAX_AGE * 60_000_000
        assert ours[row] == (returns[before[-1]] if fresh else 0.0)


def test_a_symbol_beside_itself_has_beta_1_and_no_relative_strength():
    own = random_bars(12)
    mirrored = own.beside({"market": own}, {})
    assert COLUMNS["qqq_beta"].values(mirrored)[400:] == pytest.approx(1.0, abs=1e-9)
    assert COLUMNS["qqq_rel_strength"].values(mirrored)[400:] == pytest.approx(0.0, abs=1e-12)


def test_beta_of_a_symbol_that_moves_twice_as_much_is_2():
    own = random_bars(12)
    log = {name: 2 * np.log(getattr(own, name)) for name in ("open", "high", "low", "close")}
    twice = replace(own, **{name: np.exp(values) for name, values in log.items()}).beside({"market": own}, {})
    assert COLUMNS["qqq_beta"].values(twice)[400:] == pytest.approx(2.0, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_rolling_mode_is_the_commonest_label_of_the_session_so_far(data):
    sessions = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    first = np.repeat(np.cumsum([0, *sessions[:-1]]), sessions)
    labels = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=len(first), max_size=len(first))))
    window = data.draw(st.integers(1, 30))
    found = rolling_mode(labels, first, window, 3)
    for row in range(len(first)):
        seen = labels[max(first[row], row - window + 1) : row + 1]
        counts = [int((seen == kind).sum()) for kind in range(3)]
        assert found[row] == (counts.index(max(counts)) if max(counts) else -1)


def test_labels_are_ordered_by_volatility_and_equal_scikit_learns():
    from sklearn.mixture import GaussianMixture

    calm, wild = random_bars(20), random_bars(21)
    fitted = fit_mixture(calm, components=3, window=390)
    assert list(fitted["means"][:, 0]) == sorted(fitted["means"][:, 0])
    model = GaussianMixture(3)
    model.weights_, model.means_ = fitted["weights"], fitted["means"]
    model.precisions_cholesky_ = fitted["precisions"]
    states = state(wild, 390)
    theirs = model.predict((states[389:] - fitted["mean"]) / fitted["scale"])
    assert (label(states, fitted)[389:] == theirs).all()
    assert (label(states, fitted)[:389] == -1).all()


def test_the_same_bars_give_the_same_mixture_to_the_last_bit():
    once, again = (fit_mixture(random_bars(22), components=3, window=390) for _ in range(2))
    assert all(np.array_equal(once[name], again[name]) for name in once)


def test_regime_vix_names_its_four_corners():
    bars = market()
    rising = np.linspace(100, 120, len(bars.context["market"]))
    for direction, bull in ((1, 1), (-1, 0)):
        for nervous, volatile in ((1, 1), (-1, 0)):
            moved = {
                role: replace(bars.context[role], close=rising[: len(bars.context[role])][::side])
                for role, side in (("market", direction), ("volatility", nervous))
            }
            values = COLUMNS["regime_vix"].values(bars.beside(moved, {}))
            assert values[-1] == 2 * bull + (1 - volatile)
