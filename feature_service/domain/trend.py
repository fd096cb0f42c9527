"""Where the price is going: averages, and how straight and how strong its way is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from feature_service.domain import prices, rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature


def ema(bars: Bars, window: int) -> FloatArray:
    """Return the exponential moving average of the close, in currency."""
    return bars.once(prices.ema, window)


def sma(bars: Bars, window: int) -> FloatArray:
    """Return the simple moving average of the close, in currency."""
    return bars.once(prices.sma, window)


def ema_distance(bars: Bars, window: int) -> FloatArray:
    """Return C / EMA - 1; the average is seeded with the mean of its first `window` closes."""
    return bars.close / bars.once(prices.ema, window) - 1


def sma_distance(bars: Bars, window: int) -> FloatArray:
    """Return C / SMA - 1."""
    return bars.close / bars.once(prices.sma, window) - 1


def macd(bars: Bars, fast: int, slow: int, signal: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return MACD line, its signal line and their difference, in currency."""
    import talib

    return talib.MACD(bars.close, fastperiod=fast, slowperiod=slow, signalperiod=signal)


def macd_line(bars: Bars, fast: int, slow: int, signal: int) -> FloatArray:
    """Return the difference of the fast and the slow average, as a share of the close."""
    return bars.once(macd, fast, slow, signal)[0] / bars.close


def macd_signal(bars: Bars, fast: int, slow: int, signal: int) -> FloatArray:
    """Return the MACD line's own average, as a share of the close."""
    return bars.once(macd, fast, slow, signal)[1] / bars.close


def macd_histogram(bars: Bars, fast: int, slow: int, signal: int) -> FloatArray:
    """Return MACD line minus its signal line, as a share of the close."""
    return bars.once(macd, fast, slow, signal)[2] / bars.close


def average_directional_index(bars: Bars, window: int) -> FloatArray:
    """Return how strong the trend is, up or down, 0..100."""
    import talib

    return talib.ADX(bars.high, bars.low, bars.close, timeperiod=window)


def plus_di(bars: Bars, window: int) -> FloatArray:
    """Return the share of the range that went up, 0..100."""
    import talib

    return talib.PLUS_DI(bars.high, bars.low, bars.close, timeperiod=window)


def minus_di(bars: Bars, window: int) -> FloatArray:
    """Return the share of the range that went down, 0..100."""
    import talib

    return talib.MINUS_DI(bars.high, bars.low, bars.close, timeperiod=window)


def efficiency_ratio(bars: Bars, window: int) -> FloatArray:
    """Return the way from start to end over the way that was walked: 1 straight, 0 in circles or standing still."""
    steps = rolling.change(bars.close)
    walked = rolling.mean(np.abs(steps, out=steps), window)
    walked *= window
    way = rolling.change(bars.close, window)
    return rolling.ratio(np.abs(way, out=way), walked, neutral=0.0)


def supertrend(bars: Bars, window: int, width: float) -> tuple[FloatArray, FloatArray]:
    """Return the trailing line, in currency, and the side it is on: 1 below the price, -1 above."""
    from feature_service.domain.walks import supertrend as walk

    return walk(bars.high, bars.low, bars.close, bars.once(prices.average_true_range, window), width)


def supertrend_side(bars: Bars, window: int, width: float) -> FloatArray:
    """Return 1 while the trailing line is below the price, -1 while it is above."""
    return bars.once(supertrend, window, width)[1]


def supertrend_distance(bars: Bars, window: int, width: float) -> FloatArray:
    """Return how far the close is above its trailing line, as a share of the close; negative below it."""
    return (bars.close - bars.once(supertrend, window, width)[0]) / bars.close


def donchian_upper(bars: Bars, window: int) -> FloatArray:
    """Return the highest high of the last `window` bars, in currency."""
    return bars.once(prices.highest, window)


def donchian_lower(bars: Bars, window: int) -> FloatArray:
    """Return the lowest low of the last `window` bars, in currency."""
    return bars.once(prices.lowest, window)


def donchian_position(bars: Bars, window: int) -> FloatArray:
    """Return where the close stands in the range of the last `window` bars, 0..1; 0.5 without a range."""
    low, high = bars.once(prices.lowest, window), bars.once(prices.highest, window)
    return rolling.place_between(bars.close, low, high, neutral=0.5)


def _of_close(
    name: str, compute: Callable[..., FloatArray], window: int, formula: str, source: str, *, level: bool = False
) -> Feature:
    return Feature(
        name=name,
        group="trend",
        inputs=("close",),
        params={"window": window},
        warm_up=window - 1,
        formula=formula,
        source=source,
        compute=compute,
        stored="float64" if level else "float32",
    )


def _macd(name: str, compute: Callable[..., FloatArray], formula: str) -> Feature:
    return Feature(
        name=name,
        group="momentum",
        inputs=("close",),
        params={"fast": 12, "slow": 26, "signal": 9},
        warm_up=33,
        formula=formula,
        source="Appel 1979; TA-Lib MACD",
        compute=compute,
    )


def _directional(name: str, compute: Callable[..., FloatArray], warm_up: int, formula: str) -> Feature:
    return Feature(
        name=name,
        group="trend",
        inputs=("high", "low", "close"),
        params={"window": 14},
        warm_up=warm_up,
        formula=formula,
        source="Wilder 1978; TA-Lib",
        compute=compute,
    )


def _supertrend(name: str, compute: Callable[..., FloatArray], formula: str) -> Feature:
    return Feature(
        name=name,
        group="trend",
        inputs=("high", "low", "close"),
        params={"window": 10, "width": 3.0},
        warm_up=10,
        formula=formula,
        source="Seban 2009; bands (H + L) / 2 -/+ 3 ATR(10) that only ever tighten",
        compute=compute,
    )


def _donchian(
    name: str, compute: Callable[..., FloatArray], inputs: tuple[str, ...], formula: str, *, level: bool
) -> Feature:
    return Feature(
        name=name,
        group="trend",
        inputs=inputs,
        params={"window": 50},
        warm_up=49,
        formula=formula,
        source="Donchian 1960",
        compute=compute,
        stored="float64" if level else "float32",
    )


FEATURES = (
    *(_of_close(f"sma_{n}", sma, n, f"mean(C, {n})", "definition", level=True) for n in (20, 50, 200)),
    *(_of_close(f"sma_{n}_dist", sma_distance, n, f"C / mean(C, {n}) - 1", "definition") for n in (20, 50, 200)),
    *(_of_close(f"ema_{n}", ema, n, f"EMA(C, {n})", "TA-Lib EMA", level=True) for n in (9, 12, 21, 26)),
    *(_of_close(f"ema_{n}_dist", ema_distance, n, f"C / EMA(C, {n}) - 1", "TA-Lib EMA") for n in (9, 12, 21, 26)),
    _macd("macd_line", macd_line, "M / C with M = EMA(C, 12) - EMA(C, 26)"),
    _macd("macd_signal", macd_signal, "EMA(M, 9) / C with M = EMA(C, 12) - EMA(C, 26)"),
    _macd("macd_hist", macd_histogram, "(M - EMA(M, 9)) / C with M = EMA(C, 12) - EMA(C, 26)"),
    _directional("adx_14", average_directional_index, 27, "Wilder's average over 14 of 100 |+DI - -DI| / (+DI + -DI)"),
    _directional("plus_di_14", plus_di, 14, "100 x smoothed up move / smoothed true range, Wilder's over 14"),
    _directional("minus_di_14", minus_di, 14, "100 x smoothed down move / smoothed true range, Wilder's over 14"),
    Feature(
        name="efficiency_ratio_20",
        group="trend",
        inputs=("close",),
        params={"window": 20},
        warm_up=20,
        formula="|C[t] - C[t-20]| / sum(|C[i] - C[i-1]|, 20)",
        source="Kaufman 1995",
        compute=efficiency_ratio,
    ),
    _supertrend("supertrend_side", supertrend_side, "1 while C is above its trailing line, else -1"),
    _supertrend("supertrend_dist", supertrend_distance, "(C - trailing line) / C"),
    _donchian("donchian_upper_50", donchian_upper, ("high",), "max(H, 50)", level=True),
    _donchian("donchian_lower_50", donchian_lower, ("low",), "min(L, 50)", level=True),
    _donchian(
        "donchian_pos_50",
        donchian_position,
        ("high", "low", "close"),
        "(C - min(L, 50)) / (max(H, 50) - min(L, 50))",
        level=False,
    ),
)
