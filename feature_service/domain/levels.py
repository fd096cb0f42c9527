"""Support and resistance: prices at which the market turned or traded much, and how far away they are.

Distances are shares of the close (or differences of logs, which are nearly the same). Where no level is known within
reach the distance is the reach itself: `CAP`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from feature_service.domain import prices
from feature_service.domain.bars import Bars, FloatArray, sessions
from feature_service.domain.feature import Feature

#: the farthest a level is looked for
CAP = 0.05
#: bars in the usual session: no level is spoken of before one was seen
_SESSION = 390


def nearest_pivots(bars: Bars, wing: int, memory: int) -> tuple[FloatArray, FloatArray]:
    """Return the distances to the nearest pivot above and below."""
    from feature_service.domain.walks import nearest_pivots as walk

    return walk(bars.high, bars.low, bars.close, wing, memory, CAP)


def pivot_resistance(bars: Bars, wing: int, memory: int) -> FloatArray:
    """Return how far the nearest turning point at or above the close is, among the last `memory` highs and lows.

    A turning point is a high above those of `wing` bars on either side (a low: below). It counts from the close of the
    last bar of its right side on, not before.
    """
    return _after(bars, _SESSION, bars.once(nearest_pivots, wing, memory)[0])


def pivot_support(bars: Bars, wing: int, memory: int) -> FloatArray:
    """Return how far the nearest turning point at or below the close is, among the last `memory` highs and lows."""
    return _after(bars, _SESSION, bars.once(nearest_pivots, wing, memory)[1])


def volume_levels(bars: Bars, window: int, bins: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ln(C / busiest price) and the distances to the nearest busy price above and below."""
    from feature_service.domain.walks import volume_levels as walk

    typical = bars.once(prices.typical)
    unknown = np.isnan(bars.volume)
    node, above, below = (
        np.where(unknown, np.nan, _after(bars, window - 1, one))
        for one in walk(typical, bars.volume, bars.close, window, CAP / bins, bins)
    )
    return node, above, below


def volume_node(bars: Bars, window: int, bins: int) -> FloatArray:
    """Return ln(C / price with most volume in the last `window` bars), among prices within 5 % of the close."""
    return bars.once(volume_levels, window, bins)[0]


def volume_resistance(bars: Bars, window: int, bins: int) -> FloatArray:
    """Return how far the nearest price above the close is at which much was traded in the last `window` bars.

    Much: more than at the prices beside it, and than at the mean price that was traded at.
    """
    return bars.once(volume_levels, window, bins)[1]


def volume_support(bars: Bars, window: int, bins: int) -> FloatArray:
    """Return how far the nearest price below the close is at which much was traded in the last `window` bars."""
    return bars.once(volume_levels, window, bins)[2]


def session_before(bars: Bars) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return high, low and last close of the session before each bar's own; NaN in the first session."""
    starts, lengths = bars.once(sessions)
    ends = starts + lengths - 1
    ended = (np.maximum.reduceat(bars.high, starts), np.minimum.reduceat(bars.low, starts), bars.close[ends])
    high, low, close = (np.repeat(np.append(np.nan, one[:-1]), lengths) for one in ended)
    return high, low, close


def prior_high(bars: Bars) -> FloatArray:
    """Return C over the high of the session before, minus 1."""
    return bars.close / bars.once(session_before)[0] - 1


def prior_low(bars: Bars) -> FloatArray:
    """Return C over the low of the session before, minus 1."""
    return bars.close / bars.once(session_before)[1] - 1


def floor_pivot(bars: Bars, level: int) -> FloatArray:
    """Return C over the floor traders' pivot of the session before (level 0), its resistance (1) or support (-1)."""
    high, low, close = bars.once(session_before)
    pivot = (high + low + close) / 3
    return bars.close / (pivot if level == 0 else 2 * pivot - (low if level > 0 else high)) - 1


def _after(bars: Bars, rows: int, values: FloatArray) -> FloatArray:
    return np.where(np.arange(len(bars)) >= rows, values, np.nan)


def _pivot(name: str, compute: Callable[..., FloatArray], formula: str) -> Feature:
    return Feature(
        name=name,
        group="levels",
        inputs=("high", "low", "close"),
        params={"wing": 10, "memory": 20},
        warm_up=_SESSION,
        formula=formula,
        source="definition; a pivot has 10 lower highs (higher lows) on either side",
        compute=compute,
    )


def _volume(name: str, compute: Callable[..., FloatArray], formula: str) -> Feature:
    return Feature(
        name=name,
        group="levels",
        inputs=("high", "low", "close", "volume"),
        params={"window": 5 * _SESSION, "bins": 50},
        warm_up=5 * _SESSION - 1,
        formula=formula,
        source="Steidlmayer 1984; volume by bins of 0.1 %",
        compute=compute,
    )


def _prior(name: str, compute: Callable[..., FloatArray], formula: str, level: int | None = None) -> Feature:
    return Feature(
        name=name,
        group="levels",
        inputs=("high", "low", "close"),
        params={} if level is None else {"level": level},
        warm_up=_SESSION,
        formula=formula,
        source="definition" if level is None else "floor traders' pivots",
        compute=compute,
    )


FEATURES = (
    _pivot("pivot_resistance_dist", pivot_resistance, "(nearest pivot >= C) / C - 1, of the last 20 highs and 20 lows"),
    _pivot("pivot_support_dist", pivot_support, "1 - (nearest pivot <= C) / C, of the last 20 highs and 20 lows"),
    _volume("volume_node_dist", volume_node, "ln(C / price of the most volume in 5 sessions)"),
    _volume("volume_resistance_dist", volume_resistance, "ln(nearest busy price above / C), 5 sessions"),
    _volume("volume_support_dist", volume_support, "ln(C / nearest busy price below), 5 sessions"),
    _prior("prior_high_dist", prior_high, "C / H of the session before - 1"),
    _prior("prior_low_dist", prior_low, "C / L of the session before - 1"),
    _prior("floor_pivot_dist", floor_pivot, "C / P - 1, P = (H + L + C) / 3 of the session before", 0),
    _prior("floor_r1_dist", floor_pivot, "C / (2 P - L) - 1, of the session before", 1),
    _prior("floor_s1_dist", floor_pivot, "C / (2 P - H) - 1, of the session before", -1),
)
