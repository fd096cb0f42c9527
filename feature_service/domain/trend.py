"""Averages, oscillators and where the close stands in its recent range."""

from __future__ import annotations

import numpy as np

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature


def rsi(bars: Bars, window: int) -> FloatArray:
    """Return Wilder's relative strength index, 0..100."""
    import talib

    return talib.RSI(bars.close, timeperiod=window)


def ema_distance(bars: Bars, window: int) -> FloatArray:
    """Return C / EMA - 1; the average is seeded with the mean of its first `window` closes."""
    import talib

    return bars.close / talib.EMA(bars.close, timeperiod=window) - 1


def sma_distance(bars: Bars, window: int) -> FloatArray:
    """Return C / SMA - 1."""
    return bars.close / rolling.mean(bars.close, window) - 1


def macd_histogram(bars: Bars, fast: int, slow: int, signal: int) -> FloatArray:
    """Return MACD line minus its signal line, as a share of the close."""
    import talib

    histogram = talib.MACD(bars.close, fastperiod=fast, slowperiod=slow, signalperiod=signal)[2]
    return histogram / bars.close


def percent_b(bars: Bars, window: int, width: float) -> FloatArray:
    """Return where the close stands between the Bollinger bands: 0 at the lower, 1 at the upper."""
    spread = width * rolling.std(bars.close, window, ddof=0)
    lower = rolling.mean(bars.close, window) - spread
    # a spread below a billionth of the price is rounding noise of a flat window
    flat = spread <= 1e-9 * bars.close
    return np.where(flat, 0.5, (bars.close - lower) / np.where(flat, 1.0, 2 * spread))


def stochastic_k(bars: Bars, window: int) -> FloatArray:
    """Return the fast %K: where the close stands in the last `window` bars' range, 0..100."""
    low = rolling.lowest(bars.low, window)
    return 100 * rolling.ratio(bars.close - low, rolling.highest(bars.high, window) - low, neutral=0.5)


def internal_bar_strength(bars: Bars) -> FloatArray:
    """Return where the close stands in its own bar's range, 0..1."""
    return rolling.ratio(bars.close - bars.low, bars.high - bars.low, neutral=0.5)


def _ema(window: int) -> Feature:
    return Feature(
        name=f"ema_{window}_dist",
        group="trend",
        inputs=("close",),
        params={"window": window},
        warm_up=window - 1,
        formula=f"C / EMA(C, {window}) - 1",
        source="TA-Lib EMA",
        compute=ema_distance,
    )


def _sma(window: int) -> Feature:
    return Feature(
        name=f"sma_{window}_dist",
        group="trend",
        inputs=("close",),
        params={"window": window},
        warm_up=window - 1,
        formula=f"C / mean(C, {window}) - 1",
        source="definition",
        compute=sma_distance,
    )


FEATURES = (
    *map(_ema, (9, 21)),
    *map(_sma, (50, 200)),
    Feature(
        name="rsi_14",
        group="momentum",
        inputs=("close",),
        params={"window": 14},
        warm_up=14,
        formula="100 - 100 / (1 + average gain / average loss), Wilder's smoothing over 14",
        source="Wilder 1978; TA-Lib RSI",
        compute=rsi,
    ),
    Feature(
        name="macd_hist",
        group="momentum",
        inputs=("close",),
        params={"fast": 12, "slow": 26, "signal": 9},
        warm_up=33,
        formula="(M - EMA(M, 9)) / C with M = EMA(C, 12) - EMA(C, 26)",
        source="Appel 1979; TA-Lib MACD",
        compute=macd_histogram,
    ),
    Feature(
        name="bollinger_pct_b",
        group="mean reversion",
        inputs=("close",),
        params={"window": 20, "width": 2.0},
        warm_up=19,
        formula="(C - lower) / (upper - lower), bands = mean(C, 20) -/+ 2 sd(C, 20)",
        source="Bollinger 2001; sd of the population",
        compute=percent_b,
    ),
    Feature(
        name="stochastic_k",
        group="momentum",
        inputs=("high", "low", "close"),
        params={"window": 14},
        warm_up=13,
        formula="100 (C - min(L, 14)) / (max(H, 14) - min(L, 14))",
        source="Lane 1984, fast %K",
        compute=stochastic_k,
    ),
    Feature(
        name="ibs",
        group="mean reversion",
        inputs=("high", "low", "close"),
        formula="(C - L) / (H - L)",
        source="Pagonidis 2014",
        compute=internal_bar_strength,
    ),
)
