"""Compiled windows that lose no digits at any price, and formulas in one pass. Imported where they run: numba is slow.

Polars' rolling sums compensate for rounding, but what a 3 % move leaves behind in them is 1e-7 of the next calm window;
TA-Lib's do not compensate. Here sums are taken from an anchor near the price, begun anew every `window` rows, and
counted out directly where more than three digits would cancel: errors stay below 1e-11, at less than half the time, and
with gaps in the window at a quarter. A formula of several steps over half a million rows spends more than half its time
on the memory between numpy's steps, so those that have many are one loop here.
"""

# numba reads types off the arguments at the first call: annotations would be a second, unchecked opinion
# ruff: noqa: ANN001, ANN201
# pyright: basic

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: a sum that is so many times smaller than what went into it has lost digits, and is counted out anew
CANCELLED = 1e3


def compiled(function: Any) -> Any:  # noqa: ANN401 - numba's dispatcher has no useful type
    """Compile on first call, kept on disk where numba finds a folder it may write, in memory elsewhere."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function: no locator available": a read-only installation
        return njit(**options)(function)


@compiled
def narrowed(values, out):
    """Copy float64 values into `out` in its own type; return whether one of them is infinite there."""
    infinite = False
    for t in range(len(values)):
        out[t] = values[t]
        infinite |= np.isinf(out[t])
    return infinite


@compiled
def ratios(above, below, neutral, smallest):
    """Return above / below, `neutral` where `below` is not larger than `smallest`; NaN in either is NaN."""
    result = np.empty(len(above))
    for t in range(len(above)):
        flat = below[t] <= smallest and not np.isnan(above[t])
        result[t] = neutral if flat else above[t] / below[t]
    return result


@compiled
def standardised(x, mean, sd, share):
    """Return (x - mean) / sd, 0 where `sd` is not larger than `share` of x; NaN while mean or sd are."""
    result = np.empty(len(x))
    for t in range(len(x)):
        result[t] = 0.0 if sd[t] <= share * x[t] else (x[t] - mean[t]) / sd[t]
    return result


@compiled
def signed(price, weight):
    """Return `weight` with the sign of the price's step to each bar; NaN for the first and where weight is NaN.

    A step below a billionth of the price is none: prices that are means of others differ by their rounding.
    """
    result = np.empty(len(price))
    for t in range(len(price)):
        step = price[t] - price[t - 1] if t > 0 else np.nan
        result[t] = 0.0 * weight[t] if abs(step) <= 1e-9 * abs(price[t]) else np.sign(step) * weight[t]
    return result


@compiled
def growth(close, open_, first, lag):
    """Return close over the close `lag` bars before, or over the open of the session's bar `first` if that is later."""
    result = np.empty(len(close))
    for t in range(len(close)):
        result[t] = close[t] / (close[t - lag] if t - first[t] >= lag else open_[first[t]])
    return result


@compiled
def place_between(x, low, high, neutral):
    """Return (x - low) / (high - low), `neutral` where that range is empty; NaN in any is NaN."""
    result = np.empty(len(x))
    for t in range(len(x)):
        above, reach = x[t] - low[t], high[t] - low[t]
        result[t] = neutral if reach <= 0.0 and not np.isnan(above) else above / reach
    return result


@compiled
def price_impact(returns, close, volume):
    """Return 1e9 |return| over the money traded; NaN where none was."""
    result = np.empty(len(close))
    for t in range(len(close)):
        money = close[t] * volume[t]
        result[t] = 1e9 * abs(returns[t]) / money if money > 0.0 else np.nan
    return result


@compiled
def added_volume(signed_volume, volume):
    """Return the running sum of what is known of `signed_volume`; NaN where `volume` is."""
    result = np.empty(len(volume))
    total = 0.0
    for t in range(len(volume)):
        total += 0.0 if np.isnan(signed_volume[t]) else signed_volume[t]
        result[t] = np.nan if np.isnan(volume[t]) else total
    return result


@compiled
def added_up(x, t, window):
    """Return the sum and the largest absolute value of the window that ends at row t."""
    total = biggest = 0.0
    for k in range(t - window + 1, t + 1):
        total += x[k]
        biggest = max(biggest, abs(x[k]))
    return total, biggest


@compiled
def means(x, window):
    """Return the mean of the last `window` values; NaN while one of them is. Exactly 0 where all are."""
    n = len(x)
    result = np.full(n, np.nan)
    total = biggest = 0.0
    first, left = 0, 0
    for t in range(n):
        if np.isnan(x[t]):
            first, left = t + 1, 0
        elif t - first + 1 >= window:
            if left == 0:
                left = window
                total, biggest = added_up(x, t, window)
            else:
                total += x[t] - x[t - window]
                biggest = max(biggest, abs(x[t]))
                if biggest > CANCELLED * abs(total):
                    total, _ = added_up(x, t, window)
            left -= 1
            result[t] = total / window
    return result


@compiled
def means_of_known(x, window, least):
    """Return the mean of those of the last `window` values that are not NaN; NaN while fewer than `least` are not."""
    n = len(x)
    result = np.full(n, np.nan)
    total = biggest = 0.0
    known = 0
    for t in range(n):
        if not np.isnan(x[t]):
            known += 1
            total += x[t]
            biggest = max(biggest, abs(x[t]))
        if t >= window and not np.isnan(x[t - window]):
            known -= 1
            total -= x[t - window]
        if t % window == 0 or biggest > CANCELLED * abs(total):
            total = biggest = 0.0
            for k in range(max(t - window + 1, 0), t + 1):
                if not np.isnan(x[k]):
                    total += x[k]
                    biggest = max(biggest, abs(x[k]))
        if known >= least:
            result[t] = total / known
    return result


@compiled
def moments(x, window):
    """Return mean and sum of squared distances from it over the last `window` values; NaN while one of them is."""
    n = len(x)
    mean, spread = np.full(n, np.nan), np.full(n, np.nan)
    anchor = total = squares = biggest = 0.0
    first, left = 0, 0
    for t in range(n):
        if np.isnan(x[t]):
            first, left = t + 1, 0
        elif t - first + 1 >= window:
            if left == 0:
                left, anchor, total, squares, biggest = window, x[t], 0.0, 0.0, 0.0
                for k in range(t - window + 1, t + 1):
                    gap = x[k] - anchor
                    total += gap
                    squares += gap * gap
                    biggest = max(biggest, gap * gap)
            else:
                new, old = x[t] - anchor, x[t - window] - anchor
                total += new - old
                squares += new * new - old * old
                biggest = max(biggest, new * new)
            left -= 1
            mean[t] = anchor + total / window
            spread[t] = squares - total * total / window
            if max(biggest, squares) > CANCELLED * spread[t]:
                spread[t] = counted_out(x, t, window)
    return mean, spread


@compiled
def counted_out(x, t, window):
    """Return the sum of squared distances from the mean of the window that ends at row t, in two passes."""
    middle = 0.0
    for k in range(t - window + 1, t + 1):
        middle += x[k] - x[t]
    middle /= window
    spread = 0.0
    for k in range(t - window + 1, t + 1):
        gap = x[k] - x[t] - middle
        spread += gap * gap
    return spread
