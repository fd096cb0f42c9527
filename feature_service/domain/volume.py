"""Volume, and price measured by it. All are NaN for symbols without volume."""

from __future__ import annotations

import numpy as np

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature
from feature_service.domain.returns import log_return


def vwap_distance(bars: Bars) -> FloatArray:
    """Return C / VWAP - 1, VWAP being the session's volume-weighted typical price so far.

    Until the session's first share is traded its VWAP is the close itself.
    """
    typical = (bars.high + bars.low + bars.close) / 3
    # each session is summed from its own first bar, so a long history loses no digits
    starts = np.unique(bars.first)
    money = np.concatenate([np.cumsum(part) for part in np.split(typical * bars.volume, starts[1:])])
    shares = np.concatenate([np.cumsum(part) for part in np.split(bars.volume, starts[1:])])
    return bars.close / np.where(shares == 0, bars.close, money / np.where(shares == 0, 1.0, shares)) - 1


def relative_volume(bars: Bars, window: int) -> FloatArray:
    """Return ln((1 + V) / (1 + mean V of the `window` bars before))."""
    usual = rolling.previous(rolling.mean(bars.volume, window))
    return np.log((1 + bars.volume) / (1 + usual))


def volume_change(bars: Bars) -> FloatArray:
    """Return ln((1 + V_t) / (1 + V_{t-1}))."""
    return np.log((1 + bars.volume) / (1 + rolling.previous(bars.volume)))


def amihud(bars: Bars, window: int) -> FloatArray:
    """Return mean(|r| / money traded) x 1e9 over those of the last `window` bars that traded."""
    money = bars.close * bars.volume
    impact = 1e9 * np.abs(log_return(bars)) / np.where(money > 0, money, np.nan)
    ready = np.arange(len(bars)) >= window - 1
    return np.where(ready, rolling.mean(impact, window, min_samples=1), np.nan)


def obv_slope(bars: Bars, window: int) -> FloatArray:
    """Return the change of on-balance volume over `window` bars as a share of the volume in them, -1..1.

    The level of on-balance volume depends on where history begins; its change over a window does not.
    """
    signed = np.sign(bars.close - rolling.previous(bars.close)) * bars.volume
    return rolling.ratio(rolling.mean(signed, window), rolling.mean(bars.volume, window), neutral=0.0)


FEATURES = (
    Feature(
        name="dist_vwap",
        group="mean reversion",
        inputs=("high", "low", "close", "volume"),
        formula="C / (sum(V (H + L + C) / 3) / sum(V)) - 1, sums from the session's open",
        source="Berkowitz, Logue, Noser 1988",
        compute=vwap_distance,
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
        compute=amihud,
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
)
