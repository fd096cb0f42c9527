"""Support, resistance and the trailing line, against slow and obvious ways to find them."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from feature_markets import random_bars

from feature_service.domain.bars import Bars
from feature_service.domain.catalogue import FULL
from feature_service.domain.levels import CAP

BARS = random_bars(21).head(3_000)


def test_a_pivot_counts_from_the_close_of_its_right_side_on():
    steps = np.concatenate([np.linspace(100, 101, 50), np.linspace(100.98, 100.5, 30)])
    high = np.concatenate([np.full(500, 100.0) - np.arange(500) * 1e-6, steps])
    rows = np.arange(len(high))
    bars = Bars(rows, high, high, high - 0.01, high - 0.005, np.ones(len(rows)), rows * 0, rows, rows % 5, rows)
    peak = int(high.argmax())
    above = FULL.feature("pivot_resistance_dist").values(bars)
    assert above[peak + 9] != pytest.approx(high[peak] / bars.close[peak + 9] - 1)
    assert above[peak + 10] == pytest.approx(high[peak] / bars.close[peak + 10] - 1)


def test_nearest_pivots_equal_a_search_through_all_of_them():
    high, low, close = BARS.high, BARS.low, BARS.close
    above, below = (FULL.feature(f"pivot_{side}_dist").values(BARS) for side in ("resistance", "support"))
    highs, lows = list[float](), list[float]()
    for t in range(20, 2_000):
        p = t - 10
        if all(high[p] > high[p - k] and high[p] >= high[p + k] for k in range(1, 11)):
            highs.append(high[p])
        if all(low[p] < low[p - k] and low[p] <= low[p + k] for k in range(1, 11)):
            lows.append(low[p])
        gaps = np.array([*highs[-20:], *lows[-20:]]) / close[t] - 1
        if t >= 390:
            assert above[t] == min([CAP, *gaps[gaps >= 0]])
            assert below[t] == min([CAP, *-gaps[gaps <= 0]])
    assert len(highs) > 20 < len(lows)


@pytest.mark.parametrize("row", [1_949, 1_950, 2_500, 2_999])
def test_volume_levels_equal_a_profile_counted_anew(row):
    profile = defaultdict(float)
    for t in range(row - 1_949, row + 1):
        typical = (BARS.high[t] + BARS.low[t] + BARS.close[t]) / 3
        if BARS.volume[t] > 0:
            profile[int(np.floor(np.log(typical) / 0.001))] += BARS.volume[t]
    here = np.log(BARS.close[row])
    near = [k for k in sorted(profile) if abs(k - np.floor(here / 0.001)) <= 50]
    busiest = max(near, key=lambda k: profile[k])
    usual = sum(profile.values()) / len(profile)
    busy = [k for k in near if profile[k] > usual and profile[k] >= profile[k - 1] and profile[k] > profile[k + 1]]
    gaps = np.array([(k + 0.5) * 0.001 - here for k in busy])

    def found(name: str) -> float:
        return FULL.feature(name).values(BARS)[row]

    assert found("volume_node_dist") == pytest.approx(here - (busiest + 0.5) * 0.001)
    assert found("volume_resistance_dist") == pytest.approx(min([CAP, *gaps[gaps >= 0]]))
    assert found("volume_support_dist") == pytest.approx(min([CAP, *-gaps[gaps < 0]]))


def test_levels_of_the_session_before():
    second = int(np.flatnonzero(BARS.first)[0])
    day = slice(0, second)
    high, low, close = BARS.high[day].max(), BARS.low[day].min(), BARS.close[second - 1]
    now = BARS.close[second + 7]
    expected = {
        "prior_high_dist": high,
        "prior_low_dist": low,
        "floor_pivot_dist": (high + low + close) / 3,
        "floor_r1_dist": 2 * (high + low + close) / 3 - low,
        "floor_s1_dist": 2 * (high + low + close) / 3 - high,
    }
    for name, level in expected.items():
        values = FULL.feature(name).values(BARS)
        assert np.isnan(values[:second]).all()
        assert values[second + 7] == pytest.approx(now / level - 1), name


def test_supertrend_equals_its_definition_walked_bar_by_bar():
    import talib

    atr = talib.ATR(BARS.high, BARS.low, BARS.close, timeperiod=10)
    side, upper, lower = 0, 0.0, 0.0
    sides, distances = FULL.feature("supertrend_side").values(BARS), FULL.feature("supertrend_dist").values(BARS)
    for t in range(10, len(BARS)):
        middle = (BARS.high[t] + BARS.low[t]) / 2
        top, bottom = middle + 3 * atr[t], middle - 3 * atr[t]
        if side == 0:
            side, upper, lower = 1, top, bottom
        else:
            upper = min(top, upper) if BARS.close[t - 1] <= upper else top
            lower = max(bottom, lower) if BARS.close[t - 1] >= lower else bottom
            if side > 0 and BARS.close[t] < lower:
                side = -1
            elif side < 0 and BARS.close[t] > upper:
                side = 1
        line = lower if side > 0 else upper
        assert sides[t] == side
        assert distances[t] == pytest.approx((BARS.close[t] - line) / BARS.close[t], abs=1e-15)
    assert {1.0, -1.0} <= set(sides[10:])


def test_half_days_close_early_and_lags_are_the_returns_before():
    to_close, since = FULL.feature("minutes_to_close").values(BARS), FULL.feature("minutes_since_open").values(BARS)
    lengths = set((to_close + since + 1).tolist())
    assert lengths == {210.0, 390.0}  # 2024-07-03 is a half day
    one, lagged = FULL.feature("log_return_1m").values(BARS), FULL.feature("log_return_1m_lag_3").values(BARS)
    assert np.array_equal(lagged[3:], one[:-3])


def test_one_unknown_volume_does_not_spoil_the_rest():
    volume = BARS.volume.copy()
    volume[500] = np.nan
    holed = replace(BARS, volume=volume)
    for feature in FULL.features:
        if "volume" in feature.inputs and feature.name not in {"session_vwap", "dist_vwap"}:
            assert not np.isnan(feature.values(holed)[2_600:]).any(), feature.name
