"""How much the price moves."""

from __future__ import annotations

import numpy as np

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature
from feature_service.domain.returns import log_return


def realised_vol(bars: Bars, window: int) -> FloatArray:
    """Return sqrt(mean(r^2)) over the last `window` bars, per bar, not annualised."""
    return rolling.root_mean_square(log_return(bars), window)


def vol_ratio(bars: Bars, short: int, long: int) -> FloatArray:
    """Return realised volatility of the last `short` bars over that of the last `long`."""
    return rolling.ratio(realised_vol(bars, short), realised_vol(bars, long), neutral=1.0, smallest=rolling.NO_MOVEMENT)


def parkinson_vol(bars: Bars, window: int) -> FloatArray:
    """Return sqrt(mean(ln(H/L)^2) / (4 ln 2)) over the last `window` bars, per bar."""
    return rolling.root_mean_square(np.log(bars.high / bars.low), window) / np.sqrt(4 * np.log(2))


def atr_ratio(bars: Bars, window: int) -> FloatArray:
    """Return Wilder's average true range over the close."""
    import talib

    return talib.ATR(bars.high, bars.low, bars.close, timeperiod=window) / bars.close


FEATURES = (
    Feature(
        name="realised_vol_30",
        group="volatility",
        inputs=("close", "open"),
        params={"window": 30},
        warm_up=29,
        formula="sqrt(mean(r^2, 30))",
        source="Andersen, Bollerslev, Diebold, Labys 2003",
        compute=realised_vol,
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
    Feature(
        name="parkinson_vol_20",
        group="volatility",
        inputs=("high", "low"),
        params={"window": 20},
        warm_up=19,
        formula="sqrt(mean(ln(H/L)^2, 20) / (4 ln 2))",
        source="Parkinson 1980",
        compute=parkinson_vol,
    ),
    Feature(
        name="atr_ratio_15",
        group="volatility",
        inputs=("high", "low", "close"),
        params={"window": 15},
        warm_up=15,
        formula="ATR(15) / C, Wilder's smoothing",
        source="Wilder 1978; TA-Lib ATR",
        compute=atr_ratio,
    ),
)
