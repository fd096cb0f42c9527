"""How far the price is from where it usually is."""

from __future__ import annotations

from feature_service.domain import prices, rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature
from feature_service.domain.returns import log_return, return_moments


def percent_b(bars: Bars, window: int, width: float) -> FloatArray:
    """Return where the close stands between the Bollinger bands: 0 at the lower, 1 at the upper; 0.5 without a band."""
    return 0.5 + bars.once(prices.z_score, window) / (2 * width)


def price_z_score(bars: Bars, window: int) -> FloatArray:
    """Return (C - mean of C) / sd of C over the last `window` bars; 0 where the price stood still."""
    return bars.once(prices.z_score, window)


def return_z_score(bars: Bars, window: int) -> FloatArray:
    """Return (r - mean of r) / sd of r over the last `window` bars."""
    returns = bars.once(log_return, 1)
    middle, spread = bars.once(return_moments, window)
    return rolling.ratio(returns - middle, spread, neutral=0.0, smallest=rolling.NO_MOVEMENT)


def scaled_return(bars: Bars, lag: int, window: int) -> FloatArray:
    """Return the `lag`-bar return over the sd of such returns in the last `window` bars."""
    returns = bars.once(log_return, lag)
    return rolling.ratio(returns, rolling.std(returns, window), neutral=0.0, smallest=rolling.NO_MOVEMENT)


def internal_bar_strength(bars: Bars) -> FloatArray:
    """Return where the close stands in its own bar's range, 0..1."""
    return rolling.place_between(bars.close, bars.low, bars.high, neutral=0.5)


def session_vwap(bars: Bars) -> FloatArray:
    """Return the session's volume-weighted average price so far, in currency."""
    return bars.once(prices.session_vwap)


def vwap_distance(bars: Bars) -> FloatArray:
    """Return C / VWAP - 1, VWAP being the session's volume-weighted typical price so far.

    Until the session's first share is traded its VWAP is the close itself.
    """
    return bars.close / bars.once(prices.session_vwap) - 1


def _z_score(window: int) -> Feature:
    return Feature(
        name=f"price_z_score_{window}",
        group="mean reversion",
        inputs=("close",),
        params={"window": window},
        warm_up=window - 1,
        formula=f"(C - mean(C, {window})) / sd(C, {window})",
        source="definition; sd of the population",
        compute=price_z_score,
    )


FEATURES = (
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
    *map(_z_score, (20, 60, 390)),
    Feature(
        name="return_z_score_20",
        group="mean reversion",
        inputs=("close", "open"),
        params={"window": 20},
        warm_up=19,
        formula="(r[t] - mean(r, 20)) / sd(r, 20)",
        source="definition; sd with n - 1",
        compute=return_z_score,
    ),
    Feature(
        name="return_z_15",
        group="mean reversion",
        inputs=("close", "open"),
        params={"lag": 15, "window": 390},
        warm_up=389,
        formula="log_return_15m / sd(log_return_15m, 390)",
        source="definition; sd with n - 1",
        compute=scaled_return,
    ),
    Feature(
        name="ibs",
        group="mean reversion",
        inputs=("high", "low", "close"),
        formula="(C - L) / (H - L)",
        source="Pagonidis 2014",
        compute=internal_bar_strength,
    ),
    Feature(
        name="session_vwap",
        group="mean reversion",
        inputs=("high", "low", "close", "volume"),
        formula="sum(V (H + L + C) / 3) / sum(V), sums from the session's open",
        source="Berkowitz, Logue, Noser 1988",
        compute=session_vwap,
        stored="float64",
    ),
    Feature(
        name="dist_vwap",
        group="mean reversion",
        inputs=("high", "low", "close", "volume"),
        formula="C / (sum(V (H + L + C) / 3) / sum(V)) - 1, sums from the session's open",
        source="Berkowitz, Logue, Noser 1988",
        compute=vwap_distance,
    ),
)
