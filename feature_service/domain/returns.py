"""Returns within the session, and over the night."""

from __future__ import annotations

import numpy as np

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, FloatArray, sessions
from feature_service.domain.feature import Feature


def log_return(bars: Bars, lag: int = 1) -> FloatArray:
    """Return ln(C_t / C_{t-lag}); in a session's first `lag` bars the base is the session's first open."""
    from feature_service.domain.kernels import growth

    grown = growth(bars.close, bars.open, bars.first, lag)
    return np.log(grown, out=grown)


def return_moments(bars: Bars, window: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation (n - 1) of the last `window` 1-bar returns."""
    return rolling.moments(bars.once(log_return, 1), window)


def overnight_gap(bars: Bars) -> FloatArray:
    """Return ln(session's first open / last close of the session before), the same all session long."""
    starts, lengths = bars.once(sessions)
    gap = np.full(len(starts), np.nan)
    gap[1:] = np.log(bars.open[starts[1:]] / bars.close[starts[1:] - 1])
    return np.repeat(gap, lengths)


def since_open(bars: Bars) -> FloatArray:
    """Return ln(C / the session's first open)."""
    starts, lengths = bars.once(sessions)
    grown = bars.close / np.repeat(bars.open[starts], lengths)
    return np.log(grown, out=grown)


def lagged_return(bars: Bars, lag: int) -> FloatArray:
    """Return the 1-bar log return of `lag` bars ago, of the session before in a session's first bars."""
    return rolling.previous(bars.once(log_return, 1), lag)


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


def _lagged(lag: int) -> Feature:
    return Feature(
        name=f"log_return_1m_lag_{lag}",
        group="returns",
        inputs=("close", "open"),
        params={"lag": lag},
        warm_up=lag,
        formula=f"log_return_1m[t-{lag}]",
        source="definition",
        compute=lagged_return,
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
        name="return_since_open",
        group="returns",
        inputs=("close", "open"),
        formula="ln(C / first O of the session)",
        source="definition",
        compute=since_open,
    ),
    *map(_lagged, (1, 2, 3, 4, 5)),
)
