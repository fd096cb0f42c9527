"""How fast the price has moved, and where it stands in its recent range."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from feature_service.domain import prices, rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature
from feature_service.domain.returns import log_return, return_moments


def rsi(bars: Bars, window: int) -> FloatArray:
    """Return Wilder's relative strength index, 0..100; 50 until the price first moves."""
    import talib

    found = talib.RSI(bars.close, timeperiod=window)
    if len(found):
        unmoved = np.logical_and.accumulate(bars.close == bars.close[0]) & ~np.isnan(found)
        found[unmoved] = 50.0
    return found


def stochastic_k(bars: Bars, window: int) -> FloatArray:
    """Return the fast %K: where the close stands in the last `window` bars' range, 0..100; 50 without a range."""
    low, high = bars.once(prices.lowest, window), bars.once(prices.highest, window)
    place = rolling.place_between(bars.close, low, high, neutral=0.5)
    place *= 100
    return place


def stochastic_d(bars: Bars, window: int, smoothing: int) -> FloatArray:
    """Return %D: the mean of the last `smoothing` fast %K."""
    return rolling.mean(bars.once(stochastic_k, window), smoothing)


def williams_r(bars: Bars, window: int) -> FloatArray:
    """Return how far the close is below the last `window` bars' high in their range, -100..0; -50 without a range."""
    return bars.once(stochastic_k, window) - 100


def rate_of_change(bars: Bars, window: int) -> FloatArray:
    """Return C[t] / C[t-window] - 1, nights included."""
    return bars.close / rolling.previous(bars.close, window) - 1


def commodity_channel_index(bars: Bars, window: int) -> FloatArray:
    """Return the typical price's distance from its mean in units of 0.015 mean absolute deviations."""
    import talib

    return talib.CCI(bars.high, bars.low, bars.close, timeperiod=window)


def money_flow_index(bars: Bars, window: int) -> FloatArray:
    """Return the share of the last `window` bars' money that changed hands at rising prices, 0..100; 50 without any."""
    from feature_service.domain.kernels import signed

    typical = bars.once(prices.typical)
    money = signed(typical, typical * bars.volume)
    moved = rolling.mean(money, window)
    share = rolling.ratio(moved, rolling.mean(np.abs(money, out=money), window), neutral=0.0)
    share *= 50
    share += 50
    return np.clip(share, 0.0, 100.0, out=share)


def kdj_k(bars: Bars, window: int, smoothing: int) -> FloatArray:
    """Return K: the stochastic of `window` bars, smoothed with weight 1/smoothing for the newest."""
    import talib

    return talib.EMA(bars.once(stochastic_k, window), timeperiod=2 * smoothing - 1)


def kdj_d(bars: Bars, window: int, smoothing: int) -> FloatArray:
    """Return D: K, smoothed once more."""
    import talib

    return talib.EMA(bars.once(kdj_k, window, smoothing), timeperiod=2 * smoothing - 1)


def kdj_j(bars: Bars, window: int, smoothing: int) -> FloatArray:
    """Return J = 3 K - 2 D; it may leave 0..100."""
    return 3 * bars.once(kdj_k, window, smoothing) - 2 * bars.once(kdj_d, window, smoothing)


def vol_adj_momentum(bars: Bars, lag: int) -> FloatArray:
    """Return the `lag`-bar return over sqrt(lag) x the sd of 1-bar returns in those bars."""
    spread = bars.once(return_moments, lag)[1] * np.sqrt(lag)
    return rolling.ratio(bars.once(log_return, lag), spread, neutral=0.0, smallest=rolling.NO_MOVEMENT)


_RANGE = ("high", "low", "close")


def _feature(
    name: str,
    compute: Callable[..., FloatArray],
    params: dict[str, int | float],
    warm_up: int,
    formula: str,
    source: str,
    inputs: tuple[str, ...] = _RANGE,
    version: int = 1,
) -> Feature:
    return Feature(
        name=name,
        group="momentum",
        version=version,
        inputs=inputs,
        params=params,
        warm_up=warm_up,
        formula=formula,
        source=source,
        compute=compute,
    )


_KDJ: dict[str, int | float] = {"window": 9, "smoothing": 3}

FEATURES = (
    _feature(
        "rsi_14",
        rsi,
        {"window": 14},
        14,
        "100 - 100 / (1 + average gain / average loss), Wilder's smoothing over 14",
        "Wilder 1978; TA-Lib RSI",
        ("close",),
        version=2,
    ),
    _feature(
        "stochastic_k",
        stochastic_k,
        {"window": 14},
        13,
        "100 (C - min(L, 14)) / (max(H, 14) - min(L, 14))",
        "Lane 1984, fast %K",
    ),
    _feature(
        "stochastic_d", stochastic_d, {"window": 14, "smoothing": 3}, 15, "mean(%K, 3)", "Lane 1984, %D of the fast %K"
    ),
    _feature(
        "williams_r_14",
        williams_r,
        {"window": 14},
        13,
        "-100 (max(H, 14) - C) / (max(H, 14) - min(L, 14))",
        "Williams 1973",
    ),
    *(
        _feature(f"roc_{n}", rate_of_change, {"window": n}, n, f"C[t] / C[t-{n}] - 1", "definition", ("close",))
        for n in (10, 60)
    ),
    _feature(
        "cci_20",
        commodity_channel_index,
        {"window": 20},
        19,
        "(P - mean(P, 20)) / (0.015 mean(|P - mean(P, 20)|, 20)) with P = (H + L + C) / 3",
        "Lambert 1980; TA-Lib CCI",
    ),
    _feature(
        "mfi_14",
        money_flow_index,
        {"window": 14},
        14,
        "100 x money at rising P / money at rising or falling P in 14 bars, P = (H + L + C) / 3",
        "Quong, Soudack 1989",
        ("high", "low", "close", "volume"),
        version=2,
    ),
    _feature("kdj_k", kdj_k, _KDJ, 12, "K[t] = 2/3 K[t-1] + 1/3 %K(9)[t]", "KDJ 9, 3, 3; seeded with a mean of 5"),
    _feature("kdj_d", kdj_d, _KDJ, 16, "D[t] = 2/3 D[t-1] + 1/3 K[t]", "KDJ 9, 3, 3; seeded with a mean of 5"),
    _feature("kdj_j", kdj_j, _KDJ, 16, "3 K - 2 D", "KDJ 9, 3, 3"),
    _feature(
        "vol_adj_mom_20",
        vol_adj_momentum,
        {"lag": 20},
        19,
        "log_return_20m / (sd(r, 20) sqrt(20))",
        "definition; sd with n - 1",
        ("close", "open"),
    ),
)
