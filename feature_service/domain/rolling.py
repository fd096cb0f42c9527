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
    if min_samples is not None:
        return _array(_series(values).rolling_mean(window, min_samples=min_samples))
    from feature_service.domain.kernels import means

    return means(values, window)


def moments(values: FloatArray, window: int, ddof: int = 1) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation over the last `window` bars: exactly 0 where they are all the same."""
    from feature_service.domain import kernels

    middle, spread = kernels.moments(values, window)
    return middle, np.sqrt(spread / (window - ddof))


def std(values: FloatArray, window: int, ddof: int = 1) -> FloatArray:
    """Return the standard deviation over the last `window` bars: exactly 0 where they are all the same."""
    return moments(values, window, ddof)[1]


def root_mean_square(values: FloatArray, window: int) -> FloatArray:
    """Return sqrt(mean(values^2)) over the last `window` bars: exactly 0 where they are all 0."""
    return np.sqrt(mean(np.square(values), window))


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


def ratio(above: FloatArray, below: FloatArray, neutral: float, smallest: float = 0.0) -> FloatArray:
    """Return above / below, and `neutral` where `below` is not larger than `smallest`; NaN stays NaN."""
    from feature_service.domain.kernels import ratios

    return ratios(above, below, neutral, smallest)


def _series(values: FloatArray) -> pl.Series:
    return pl.Series(values, nan_to_null=True)


def _array(series: pl.Series) -> FloatArray:
    return series.fill_null(float("nan")).to_numpy()
