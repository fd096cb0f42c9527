"""The regimes as features. -1 is "unknown": no context, or a history too short for a fit; never a silent 0."""

from __future__ import annotations

import numpy as np

from feature_service.domain import prices, rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.context import DAY, MARKET, MAX_AGE, VOLATILITY, taken
from feature_service.domain.feature import Feature, Fit
from feature_service.domain.regimes.mixture import fit_mixture, label, rolling_mode, state
from feature_service.domain.reversion import price_z_score

UNKNOWN = -1.0
COMPONENTS = 3
#: five sessions
_WEEK = 5 * DAY

MARKET_MIXTURE = Fit(
    name="market_mixture",
    of=MARKET,
    rows=20_000,
    minimum=_WEEK,
    estimate=fit_mixture,
    params={"components": COMPONENTS, "window": DAY},
)


def regime_vix(bars: Bars, window: int, max_age: int) -> FloatArray:
    """Return 0 bear volatile, 1 bear quiet, 2 bull volatile, 3 bull quiet, -1 where context is missing.

    Bull: the market closes above its mean of the last `window` bars. Volatile: the volatility proxy above its own.
    """
    bull = _above(bars, MARKET, window, max_age)
    volatile = _above(bars, VOLATILITY, window, max_age)
    return np.where(np.isnan(bull + volatile), UNKNOWN, 2 * bull + (1 - volatile))


def regime_gmm(bars: Bars, window: int, components: int, smoothing: int, max_age: int) -> FloatArray:
    """Return the market's smoothed mixture label, 0 the calmest, -1 without a market or before its first fit."""
    market, fitted = bars.context.get(MARKET), bars.fits.get(MARKET_MIXTURE.name)
    if market is None or fitted is None or not len(market):
        return np.full(len(bars), UNKNOWN)
    labels = label(market.once(state, window), fitted)
    smooth = rolling_mode(labels, market.first, smoothing, components)
    return taken(bars, MARKET, max_age, smooth.astype(np.float64), UNKNOWN)


def regime_sma(bars: Bars, window: int) -> FloatArray:
    """Return 1 where the close is above its mean of the last `window` bars, else 0."""
    mean = bars.once(prices.sma, window)
    return np.where(np.isnan(mean), np.nan, (bars.close > mean).astype(np.float64))


def regime_sma_dist(bars: Bars, window: int) -> FloatArray:
    """Return (C - mean) / sd of the last `window` closes; 0 where the price stood still.

    In sd, so that one threshold means the same on every symbol; `sma_200_dist` is the distance as a share of the price.
    """
    return bars.once(price_z_score, window)


def _above(bars: Bars, role: str, window: int, max_age: int) -> FloatArray:
    """Return 1 where the role's close is above its mean, else 0; NaN where it is not known."""
    other = bars.context.get(role)
    values = other.once(_high, window) if other is not None and len(other) else np.empty(0)
    return taken(bars, role, max_age, values, np.nan)


def _high(bars: Bars, window: int) -> FloatArray:
    mean = rolling.mean(bars.close, window, window // 5)
    return np.where(np.isnan(mean), np.nan, (bars.close > mean).astype(np.float64))


FEATURES = (
    Feature(
        name="regime_vix",
        group="regime",
        inputs=("close",),
        context=(VOLATILITY, MARKET),
        params={"window": _WEEK, "max_age": MAX_AGE},
        formula="2 [M > mean(M, 1950)] + [X <= mean(X, 1950)], M the market, X the volatility proxy",
        source="definition",
        version=2,
        compute=regime_vix,
    ),
    Feature(
        name="regime_gmm",
        group="regime",
        inputs=("close", "open"),
        context=(MARKET,),
        fits=(MARKET_MIXTURE,),
        params={"window": DAY, "components": COMPONENTS, "smoothing": 30, "max_age": MAX_AGE},
        formula="mode of the last 30 likeliest components of (ln sd(m, 390), trend), fitted monthly on the past",
        source="McLachlan, Peel 2000; scikit-learn GaussianMixture",
        compute=regime_gmm,
    ),
    Feature(
        name="regime_sma",
        group="regime",
        inputs=("close",),
        params={"window": 200},
        warm_up=199,
        formula="[C > mean(C, 200)]",
        source="definition",
        compute=regime_sma,
    ),
    Feature(
        name="regime_sma_dist",
        group="regime",
        inputs=("close",),
        params={"window": 200},
        warm_up=199,
        formula="(C - mean(C, 200)) / sd(C, 200)",
        source="definition",
        compute=regime_sma_dist,
    ),
)
