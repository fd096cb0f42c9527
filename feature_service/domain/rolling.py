"""Trailing windows that include the present bar. NaN in a window gives NaN for that window only.

Sums are our own: see `kernels`. Extremes are TA-Lib's, which finds them in a tenth of polars' time, where there is no
NaN (it would be taken for a number).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from feature_service.domain.bars import FloatArray

#: standard deviations of returns below this are rounding noise of a window in which nothing moved
NO_MOVEMENT = 1e-12


def mean(values: FloatArray, window: int, min_samples: int | None = None) -> FloatArray:
    """Return the mean over the last `window` bars; NaN with fewer than `min_samples` (default: all) values."""
    from feature_service.domain import kernels

    return kernels.means(values, window) if min_samples is None else kernels.means_of_known(values, window, min_samples)


def moments(values: FloatArray, window: int, ddof: int = 1) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation over the last `window` bars: exactly 0 where they are all the same."""
    from feature_service.domain import kernels

    middle, spread = kernels.moments(values, window)
    spread /= window - ddof
    return middle, np.sqrt(spread, out=spread)


def std(values: FloatArray, window: int, ddof: int = 1) -> FloatArray:
    """Return the standard deviation over the last `window` bars: exactly 0 where they are all the same."""
    return moments(values, window, ddof)[1]


def root_mean_square(values: FloatArray, window: int) -> FloatArray:
    """Return sqrt(mean(values^2)) over the last `window` bars: exactly 0 where they are all 0."""
    middle = mean(np.square(values), window)
    return np.sqrt(middle, out=middle)


def highest(values: FloatArray, window: int) -> FloatArray:
    """Return the maximum over the last `window` (at least 2) bars."""
    if np.isnan(values).any() or not len(values):
        return _array(_series(values).rolling_max(window, min_samples=window))
    import talib

    return talib.MAX(values, timeperiod=window)


def lowest(values: FloatArray, window: int) -> FloatArray:
    """Return the minimum over the last `window` (at least 2) bars."""
    if np.isnan(values).any() or not len(values):
        return _array(_series(values).rolling_min(window, min_samples=window))
    import talib

    return talib.MIN(values, timeperiod=window)


def previous(values: FloatArray, lag: int = 1) -> FloatArray:
    """Return the value `lag` bars before each; NaN for the first `lag`."""
    shifted = np.full_like(values, np.nan)
    shifted[lag:] = values[:-lag]
    return shifted


def change(values: FloatArray, lag: int = 1) -> FloatArray:
    """Return each value less the one `lag` bars before it; NaN for the first `lag`."""
    changed = np.empty_like(values)
    changed[:lag] = np.nan
    np.subtract(values[lag:], values[:-lag], out=changed[lag:])
    return changed


def place_between(values: FloatArray, low: FloatArray, high: FloatArray, neutral: float) -> FloatArray:
    """Return (values - low) / (high - low), and `neutral` where that range is empty; NaN stays NaN."""
    from feature_service.domain import kernels

    return kernels.place_between(values, low, high, neutral)


def ratio(above: FloatArray, below: FloatArray, neutral: float, smallest: float = 0.0) -> FloatArray:
    """Return above / below, and `neutral` where `below` is not larger than `smallest`; NaN stays NaN."""
    from feature_service.domain.kernels import ratios

    return ratios(above, below, neutral, smallest)


def _series(values: FloatArray) -> pl.Series:
    return pl.Series(values, nan_to_null=True)


def _array(series: pl.Series) -> FloatArray:
    return series.fill_null(float("nan")).to_numpy()
