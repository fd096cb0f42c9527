"""Compiled walks bar by bar, for what no library has: trailing line, pivots, volume profile, session VWAP."""

# numba reads types off the arguments at the first call: annotations would be a second, unchecked opinion
# ruff: noqa: ANN001, ANN201
# pyright: basic

from __future__ import annotations

import numpy as np

from feature_service.domain.kernels import compiled


@compiled
def session_vwap(price, volume, close, first):
    """Return volume-weighted `price` from each session's first bar on; `close` until a share is traded."""
    result = np.empty(len(price))
    money = shares = 0.0
    for t in range(len(price)):
        if first[t] == t:
            money = shares = 0.0
        money += price[t] * volume[t]
        shares += volume[t]
        result[t] = close[t] if shares == 0.0 else money / shares
    return result


@compiled
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


@compiled
def is_pivot(values, p, wing):
    """Return whether values[p] is above the `wing` values before it and not below the `wing` after it."""
    for k in range(1, wing + 1):  # noqa: SIM110 - numba compiles no generator inside all()
        if values[p] <= values[p - k] or values[p] < values[p + k]:
            return False
    return True


@compiled
def nearest_pivots(high, low, close, wing, memory, reach):
    """Return how far the nearest remembered pivot is above and below each close, as shares of it, at most `reach`.

    A pivot is known when the last bar of its right side has closed, and remembered until `memory` later ones of its
    kind are.
    """
    n = len(close)
    above, below = np.full(n, reach), np.full(n, reach)
    levels = np.zeros(2 * memory)
    fall = -low
    highs = lows = 0
    ceiling, floor = 0.0, np.inf  # the nearest levels; what is between them needs no new search
    for t in range(n):
        p = t - wing
        if p >= wing and is_pivot(high, p, wing):
            levels[highs % memory] = high[p]
            highs += 1
            ceiling, floor = 0.0, np.inf
        if p >= wing and is_pivot(fall, p, wing):
            levels[memory + lows % memory] = low[p]
            lows += 1
            ceiling, floor = 0.0, np.inf
        if not floor < close[t] < ceiling:
            ceiling, floor = np.inf, 0.0
            for level in levels:
                if level >= close[t]:
                    ceiling = min(level, ceiling)
                if level <= close[t]:
                    floor = max(level, floor)
        above[t] = min(ceiling / close[t] - 1.0, reach)
        below[t] = min(1.0 - floor / close[t], reach)
    return above, below


@compiled
def keep_profile(profile, traded, at, volume, sign):
    """Add (sign 1) or take out (-1) a bar's volume; return by how much the number of occupied bins changed."""
    before = traded[at] > 0
    traded[at] += sign
    profile[at] += sign * volume
    if traded[at] == 0:
        profile[at] = 0.0  # exactly nothing, not what rounding leaves
    return (traded[at] > 0) - before


@compiled
def busiest_bin(profile, lowest, highest):
    """Return the bin with the most volume from `lowest` to `highest`, the lower of two; -1 where there is none."""
    busiest, most = -1, 0.0
    for k in range(lowest, highest + 1):
        if profile[k] > most:
            busiest, most = k, profile[k]
    return busiest


@compiled
def is_busy(profile, k, usual):
    """Return whether bin k holds more than its neighbours and than `usual`."""
    held = profile[k]
    return held > usual and held >= profile[k - 1] and held > profile[k + 1]


@compiled
def nearest_busy(profile, here, middle, reach, usual):
    """Return how many bins the middle of the nearest busy one is above and below `here`, at most `reach`."""
    above = below = float(reach)
    for k in range(middle, middle + reach + 1):  # upwards; the present bin may lie on either side
        if k + 0.5 >= here and is_busy(profile, k, usual):
            above = min(above, k + 0.5 - here)
            break
    for k in range(middle, middle - reach - 1, -1):
        if k + 0.5 < here and is_busy(profile, k, usual):
            below = min(below, here - k - 0.5)
            break
    return above, below


@compiled
def volume_levels(price, volume, close, window, width, reach):
    """Return ln(close / busiest price), and the distances up and down to the nearest busy price, at most reach bins.

    A profile of the last `window` bars: volume by bins of `width` in ln(price). A busy price is a bin with more
    volume than its neighbours and than the mean of the bins that hold any. NaN volume counts as none. Rows before the
    first whole window are 0 and the farthest distance.
    """
    n = len(close)
    busiest, above, below = np.zeros(n), np.full(n, reach * width), np.full(n, reach * width)
    if n == 0:
        return busiest, above, below
    bins = np.floor(np.log(price) / width).astype(np.int64)
    base = min(bins.min(), int(np.floor(np.log(close.min()) / width))) - reach - 2
    top = max(bins.max(), int(np.floor(np.log(close.max()) / width))) + reach + 2
    profile, traded = np.zeros(top - base + 1), np.zeros(top - base + 1, np.int64)
    total, occupied = 0.0, 0
    middle = most = -1  # the close's bin and the busiest within reach of it: searched anew when either may have changed
    for t in range(n):
        old, left = t - window, -1
        if volume[t] > 0.0:
            occupied += keep_profile(profile, traded, bins[t] - base, volume[t], 1)
            total += volume[t]
        if old >= 0 and volume[old] > 0.0:
            left = bins[old] - base
            occupied += keep_profile(profile, traded, left, volume[old], -1)
            total -= volume[old]
        if occupied > 0 and t >= window - 1:
            here = np.log(close[t])
            now = int(np.floor(here / width)) - base
            added = bins[t] - base
            if now != middle or most < 0 or most == left:
                middle, most = now, busiest_bin(profile, now - reach, now + reach)
            elif profile[added] > profile[most] and abs(added - middle) <= reach:
                most = added
            busiest[t] = here - (most + base + 0.5) * width if most >= 0 else 0.0
            above[t], below[t] = nearest_busy(profile, here / width - base, middle, reach, total / occupied)
            above[t] *= width
            below[t] *= width
    return busiest, above, below
