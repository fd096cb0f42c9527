"""Returns within the session, and how unusual they are."""

from __future__ import annotations

import numpy as np

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature


def log_return(bars: Bars, lag: int = 1) -> FloatArray:
    """Return ln(C_t / C_{t-lag}); in a session's first `lag` bars the base is the session's first open."""
    back = np.arange(len(bars)) - lag
    inside = back >= bars.first
    base = np.where(inside, bars.close[np.maximum(back, 0)], bars.open[bars.first])
    return np.log(bars.close / base)


def overnight_gap(bars: Bars) -> FloatArray:
    """Return ln(session's first open / last close of the session before), the same all session long."""
    before = bars.first - 1
    gap = np.log(bars.open[bars.first] / bars.close[np.maximum(before, 0)])
    return np.where(before >= 0, gap, np.nan)


def return_z_score(bars: Bars, window: int) -> FloatArray:
    """Return (r - mean of r) / sd of r over the last `window` bars."""
    returns = log_return(bars)
    distance = returns - rolling.mean(returns, window)
    return rolling.ratio(distance, rolling.std(returns, window), neutral=0.0, smallest=rolling.NO_MOVEMENT)


def scaled_return(bars: Bars, lag: int, window: int) -> FloatArray:
    """Return the `lag`-bar return over the sd of such returns in the last `window` bars."""
    returns = log_return(bars, lag)
    return rolling.ratio(returns, rolling.std(returns, window), neutral=0.0, smallest=rolling.NO_MOVEMENT)


def vol_adj_momentum(bars: Bars, lag: int) -> FloatArray:
    """Return the `lag`-bar return over sqrt(lag) x the sd of 1-bar returns in those bars."""
    spread = rolling.std(log_return(bars), lag) * np.sqrt(lag)
    return rolling.ratio(log_return(bars, lag), spread, neutral=0.0, smallest=rolling.NO_MOVEMENT)


def _log_return(lag: int) -> Feature:
    return Feature(
        name=f"log_return_{lag}m",
        group="returns",
        inputs=("close", "open"),
        params={"lag": lag},
        formula=f"ln(C[t] / C[t-{lag}]), from the session's first O in its first {lag} bars",
        source="definition",
        compute=log_return,
    )


FEATURES = (
    *map(_log_return, (1, 5, 15, 30, 60)),
    Feature(
        name="overnight_gap",
        group="returns",
        inputs=("open", "close"),
        warm_up=390,
        formula="ln(first O of the session / last C of the session before)",
        source="definition",
        compute=overnight_gap,
    ),
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
        name="vol_adj_mom_20",
        group="momentum",
        inputs=("close", "open"),
        params={"lag": 20},
        warm_up=19,
        formula="log_return_20m / (sd(r, 20) sqrt(20))",
        source="definition; sd with n - 1",
        compute=vol_adj_momentum,
    ),
)
