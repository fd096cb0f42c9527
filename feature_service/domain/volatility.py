"""How much the price moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from feature_service.domain import prices, rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature
from feature_service.domain.returns import log_return


def realised_vol(bars: Bars, window: int) -> FloatArray:
    """Return sqrt(mean(r^2)) over the last `window` bars, per bar, not annualised."""
    return rolling.root_mean_square(bars.once(log_return, 1), window)


def vol_ratio(bars: Bars, short: int, long: int) -> FloatArray:
    """Return realised volatility of the last `short` bars over that of the last `long`."""
    recent, usual = bars.once(realised_vol, short), bars.once(realised_vol, long)
    return rolling.ratio(recent, usual, neutral=1.0, smallest=rolling.NO_MOVEMENT)


def parkinson_vol(bars: Bars, window: int) -> FloatArray:
    """Return sqrt(mean(ln(H/L)^2) / (4 ln 2)) over the last `window` bars, per bar."""
    return rolling.root_mean_square(np.log(bars.high / bars.low), window) / np.sqrt(4 * np.log(2))


def atr(bars: Bars, window: int) -> FloatArray:
    """Return Wilder's average true range, in currency."""
    return bars.once(prices.average_true_range, window)


def atr_ratio(bars: Bars, window: int) -> FloatArray:
    """Return Wilder's average true range over the close."""
    return bars.once(prices.average_true_range, window) / bars.close


def bollinger_upper(bars: Bars, window: int, width: float) -> FloatArray:
    """Return the upper Bollinger band, in currency."""
    return bars.once(prices.sma, window) + width * bars.once(prices.deviation, window)


def bollinger_lower(bars: Bars, window: int, width: float) -> FloatArray:
    """Return the lower Bollinger band, in currency."""
    return bars.once(prices.sma, window) - width * bars.once(prices.deviation, window)


def bollinger_width(bars: Bars, window: int, width: float) -> FloatArray:
    """Return upper minus lower Bollinger band over their middle."""
    return 2 * width * bars.once(prices.deviation, window) / bars.once(prices.sma, window)


def _vol(name: str, compute: Callable[..., FloatArray], window: int, formula: str, source: str) -> Feature:
    return Feature(
        name=name,
        group="volatility",
        inputs=("high", "low") if compute is parkinson_vol else ("close", "open"),
        params={"window": window},
        warm_up=window - 1,
        formula=formula,
        source=source,
        compute=compute,
    )


def _range(name: str, compute: Callable[..., FloatArray], window: int, formula: str) -> Feature:
    return Feature(
        name=name,
        group="volatility",
        inputs=("high", "low", "close"),
        params={"window": window},
        warm_up=window,
        formula=formula,
        source="Wilder 1978; TA-Lib ATR",
        compute=compute,
    )


def _band(name: str, compute: Callable[..., FloatArray], formula: str, *, level: bool) -> Feature:
    return Feature(
        name=name,
        group="volatility",
        inputs=("close",),
        params={"window": 20, "width": 2.0},
        warm_up=19,
        formula=formula,
        source="Bollinger 2001; sd of the population",
        compute=compute,
        stored="float64" if level else "float32",
    )


FEATURES = (
    *(
        _vol(
            f"realised_vol_{n}",
            realised_vol,
            n,
            f"sqrt(mean(r^2, {n}))",
            "Andersen, Bollerslev, Diebold, Labys 2003",
        )
        for n in (30, 390)
    ),
    Feature(
        name="vol_ratio_60",
        group="volatility",
        inputs=("close", "open"),
        params={"short": 15, "long": 60},
        warm_up=59,
        formula="sqrt(mean(r^2, 15)) / sqrt(mean(r^2, 60))",
        source="definition",
        compute=vol_ratio,
    ),
    _vol("parkinson_vol_20", parkinson_vol, 20, "sqrt(mean(ln(H/L)^2, 20) / (4 ln 2))", "Parkinson 1980"),
    _range("atr_14", atr, 14, "ATR(14), Wilder's smoothing"),
    _range("atr_ratio_15", atr_ratio, 15, "ATR(15) / C, Wilder's smoothing"),
    _band("bollinger_upper", bollinger_upper, "mean(C, 20) + 2 sd(C, 20)", level=True),
    _band("bollinger_lower", bollinger_lower, "mean(C, 20) - 2 sd(C, 20)", level=True),
    _band("bollinger_width", bollinger_width, "4 sd(C, 20) / mean(C, 20)", level=False),
)
