"""How much is traded, and what it does to the price. All are NaN for symbols without volume."""

from __future__ import annotations

import numpy as np

from feature_service.domain import prices, rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature
from feature_service.domain.returns import log_return


def on_balance_volume(bars: Bars) -> FloatArray:
    """Return the sum of volume at rising closes minus that at falling ones since the block's first warm-up bar.

    A level without a meaning of its own: look at its changes. Bars whose volume is unknown add nothing.
    """
    from feature_service.domain.kernels import added_volume

    return added_volume(bars.once(prices.signed_volume), bars.volume)


def obv_slope(bars: Bars, window: int) -> FloatArray:
    """Return the change of on-balance volume over `window` bars as a share of the volume in them, -1..1.

    The level of on-balance volume depends on where history begins; its change over a window does not.
    """
    moved = rolling.mean(bars.once(prices.signed_volume), window)
    return rolling.ratio(moved, bars.once(prices.average_volume, window), neutral=0.0)


def relative_volume(bars: Bars, window: int) -> FloatArray:
    """Return ln((1 + V) / (1 + mean V of the `window` bars before))."""
    usual = rolling.previous(bars.once(prices.average_volume, window))
    usual += 1
    return np.log(np.divide(1 + bars.volume, usual, out=usual), out=usual)


def volume_change(bars: Bars) -> FloatArray:
    """Return ln((1 + V_t) / (1 + V_{t-1}))."""
    return np.log((1 + bars.volume) / (1 + rolling.previous(bars.volume)))


def amihud(bars: Bars, window: int) -> FloatArray:
    """Return mean(|r| / money traded) x 1e9 over those of the last `window` bars that traded."""
    from feature_service.domain.kernels import price_impact

    impact = rolling.mean(price_impact(bars.once(log_return, 1), bars.close, bars.volume), window, min_samples=1)
    impact[: window - 1] = np.nan
    return impact


def intraday_intensity(bars: Bars) -> FloatArray:
    """Return the bar's volume, signed and weighted by where its close stands in its range."""
    return bars.once(prices.place_in_bar) * bars.volume


def intraday_intensity_share(bars: Bars, window: int) -> FloatArray:
    """Return the sum of intraday intensity over `window` bars as a share of their volume, -1..1."""
    intensity = rolling.mean(intraday_intensity(bars), window)
    return rolling.ratio(intensity, bars.once(prices.average_volume, window), neutral=0.0)


FEATURES = (
    Feature(
        name="obv",
        group="volume",
        inputs=("close", "volume"),
        formula="sum of sign(C[t] - C[t-1]) V[t] since the block's first warm-up bar",
        source="Granville 1963",
        compute=on_balance_volume,
        stored="float64",
        cumulative=True,
    ),
    Feature(
        name="obv_slope_20",
        group="volume",
        inputs=("close", "volume"),
        params={"window": 20},
        warm_up=20,
        formula="(OBV[t] - OBV[t-20]) / sum(V, 20)",
        source="Granville 1963",
        compute=obv_slope,
    ),
    Feature(
        name="volume_rel_20",
        group="volume",
        inputs=("volume",),
        params={"window": 20},
        warm_up=20,
        formula="ln((1 + V[t]) / (1 + mean(V[t-20 .. t-1])))",
        source="definition",
        compute=relative_volume,
    ),
    Feature(
        name="volume_change",
        group="volume",
        inputs=("volume",),
        warm_up=1,
        formula="ln((1 + V[t]) / (1 + V[t-1]))",
        source="definition",
        compute=volume_change,
    ),
    Feature(
        name="amihud_illiquidity",
        group="volume",
        inputs=("close", "open", "volume"),
        params={"window": 20},
        warm_up=19,
        formula="1e9 mean(|r| / (C V), 20) over bars with V > 0",
        source="Amihud 2002",
        version=2,
        compute=amihud,
    ),
    Feature(
        name="intraday_intensity",
        group="volume",
        inputs=("high", "low", "close", "volume"),
        formula="V (2C - H - L) / (H - L)",
        source="Bostian 1967",
        compute=intraday_intensity,
    ),
    Feature(
        name="intraday_intensity_20",
        group="volume",
        inputs=("high", "low", "close", "volume"),
        params={"window": 20},
        warm_up=19,
        formula="sum(V (2C - H - L) / (H - L), 20) / sum(V, 20)",
        source="Bostian 1967; the same as Chaikin's money flow over 20",
        compute=intraday_intensity_share,
    ),
)
