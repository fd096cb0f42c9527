"""Compiled walks for what no library has: the trailing line, pivots, the volume profile. Imported where they run."""

# numba reads types off the arguments at the first call: annotations would be a second, unchecked opinion
# ruff: noqa: ANN001, ANN201
# pyright: basic

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: bins of the volume profile's ring: prices e^4 apart share one, and no week of prices spans that
RING = 4096


def _compiled(function: Any) -> Any:  # noqa: ANN401 - numba's dispatcher has no useful type
    """Compile on first call, kept on disk where numba finds a folder it may write, in memory elsewhere."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function: no locator available": a read-only installation
        return njit(**options)(function)


@_compiled
def supertrend(high, low, close, atr, width):
    """Return the trailing line and its side (1 below the price, -1 above); NaN while `atr` is."""
    n = len(close)
    line, side = np.full(n, np.nan), np.full(n, np.nan)
    upper = lower = 0.0
    now = 0.0
    for t in range(n):
        if np.isnan(atr[t]):
            continue
        middle = 0.5 * (high[t] + low[t])
        top, bottom = middle + width * atr[t], middle - width * atr[t]
        if now == 0.0:  # the first line is below the price
            upper, lower, now = top, bottom, 1.0
        else:
            # a band only tightens until the close of the bar before has crossed it
            upper = top if top < upper or close[t - 1] > upper else upper
            lower = bottom if bottom > lower or close[t - 1] < lower else lower
            if now > 0.0 and close[t] < lower:
                now = -1.0
            elif now < 0.0 and close[t] > upper:
                now = 1.0
        side[t] = now
        line[t] = lower if now > 0.0 else upper
    return line, side


@_compiled
def is_pivot(values, p, wing):
    """Return whether values[p] is above the `wing` values before it and not below the `wing` after it."""
    for k in range(1, wing + 1):  # noqa: SIM110 - numba compiles no generator inside all()
        if values[p] <= values[p - k] or values[p] < values[p + k]:
            return False
    return True


@_compiled
def nearest_pivots(high, low, close, wing, memory, cap):
    """Return how far the nearest remembered pivot is above and below each close, as shares of it, at most `cap`.

    A pivot is known when the last bar of its right side has closed, and remembered until `memory` later ones of its
    kind are.
    """
    n = len(close)
    above, below = np.full(n, cap), np.full(n, cap)
    levels = np.zeros(2 * memory)
    fall = -low
    highs = lows = 0
    for t in range(n):
        p = t - wing
        if p >= wing and is_pivot(high, p, wing):
            levels[highs % memory] = high[p]
            highs += 1
        if p >= wing and is_pivot(fall, p, wing):
            levels[memory + lows % memory] = low[p]
            lows += 1
        for level in levels[: memory + min(lows, memory)]:
            gap = level / close[t] - 1.0
            if gap >= 0.0:
                above[t] = min(gap, above[t])
            if gap <= 0.0 and level > 0.0:
                below[t] = min(-gap, below[t])
    return above, below


@_compiled
def keep_profile(profile, traded, at, volume, sign):
    """Add (sign 1) or take out (-1) a bar's volume; return by how much the number of occupied bins changed."""
    before = traded[at] > 0
    traded[at] += sign
    profile[at] += sign * volume
    if traded[at] == 0:
        profile[at] = 0.0  # exactly nothing, not what rounding leaves
    return (traded[at] > 0) - before


@_compiled
def look_around(profile, here, width, reach, usual):
    """Return `here` minus the busiest price's log, and the distances up and down to the nearest busy bins."""
    busiest, most, above, below = 0.0, 0.0, reach * width, reach * width
    middle = int(np.floor(here / width))
    for k in range(middle - reach, middle + reach + 1):
        held = profile[k % RING]
        gap = (k + 0.5) * width - here
        if held > most:
            most, busiest = held, -gap
        if held > usual and held >= profile[(k - 1) % RING] and held > profile[(k + 1) % RING]:
            if gap >= 0.0:
                above = min(above, gap)
            else:
                below = min(below, -gap)
    return busiest, above, below


@_compiled
def volume_levels(price, volume, close, window, width, reach):
    """Return ln(close / busiest price), and the distances up and down to the nearest busy price, at most reach bins.

    A profile of the last `window` bars: volume by bins of `width` in ln(price). A busy price is a bin with more
    volume than its neighbours and than the mean of the bins that hold any. NaN volume counts as none.
    """
    n = len(close)
    busiest, above, below = np.zeros(n), np.full(n, reach * width), np.full(n, reach * width)
    profile, traded = np.zeros(RING), np.zeros(RING, np.int64)
    bins = np.floor(np.log(price) / width).astype(np.int64) % RING
    total, occupied = 0.0, 0
    for t in range(n):
        old = t - window
        if volume[t] > 0.0:
            occupied += keep_profile(profile, traded, bins[t], volume[t], 1)
            total += volume[t]
        if old >= 0 and volume[old] > 0.0:
            occupied += keep_profile(profile, traded, bins[old], volume[old], -1)
            total -= volume[old]
        if occupied > 0:
            here = np.log(close[t])
            busiest[t], above[t], below[t] = look_around(profile, here, width, reach, total / occupied)
    return busiest, above, below
