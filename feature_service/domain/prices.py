"""What several features are made of, computed once a block: ask for it by `bars.once(ema, 12)`.

All return float64 of shape (n,), prices in the symbol's currency.
"""

from __future__ import annotations

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, FloatArray


def typical(bars: Bars) -> FloatArray:
    """Return (H + L + C) / 3."""
    return (bars.high + bars.low + bars.close) / 3


def ema(bars: Bars, window: int) -> FloatArray:
    """Return the exponential average of the close, seeded with the mean of its first `window` closes."""
    import talib

    return talib.EMA(bars.close, timeperiod=window)


def moments(bars: Bars, window: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and population's standard deviation of the last `window` closes."""
    return rolling.moments(bars.close, window, ddof=0)


def sma(bars: Bars, window: int) -> FloatArray:
    """Return the mean of the last `window` closes."""
    return bars.once(moments, window)[0]


def deviation(bars: Bars, window: int) -> FloatArray:
    """Return the population's standard deviation of the last `window` closes, exactly 0 where they are the same."""
    return bars.once(moments, window)[1]


def highest(bars: Bars, window: int) -> FloatArray:
    """Return the highest high of the last `window` bars."""
    return rolling.highest(bars.high, window)


def lowest(bars: Bars, window: int) -> FloatArray:
    """Return the lowest low of the last `window` bars."""
    return rolling.lowest(bars.low, window)


def average_true_range(bars: Bars, window: int) -> FloatArray:
    """Return Wilder's average true range."""
    import talib

    return talib.ATR(bars.high, bars.low, bars.close, timeperiod=window)


def average_volume(bars: Bars, window: int) -> FloatArray:
    """Return the mean volume of the last `window` bars."""
    return rolling.mean(bars.volume, window)


def place_in_bar(bars: Bars) -> FloatArray:
    """Return where the close stands in its own bar's range, -1 at the low to 1 at the high; 0 without a range."""
    place = 2 * bars.close
    place -= bars.high
    place -= bars.low
    return rolling.ratio(place, bars.high - bars.low, neutral=0.0)


def signed_volume(bars: Bars) -> FloatArray:
    """Return the volume with the sign of the close's step; NaN for the first bar."""
    from feature_service.domain.kernels import signed

    return signed(bars.close, bars.volume)


def z_score(bars: Bars, window: int) -> FloatArray:
    """Return (C - mean of C) / sd of C over the last `window` bars; 0 where the price stood still."""
    from feature_service.domain.kernels import standardised

    # an sd below a billionth of the price is rounding noise of a flat window
    return standardised(bars.close, *bars.once(moments, window), 1e-9)


def session_vwap(bars: Bars) -> FloatArray:
    """Return the session's volume-weighted typical price so far; the close until its first share is traded."""
    from feature_service.domain.walks import session_vwap as walk

    return walk(bars.once(typical), bars.volume, bars.close, bars.first)
