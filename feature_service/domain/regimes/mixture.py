"""A Gaussian mixture over the state of the market, and the labels it gives.

1. State of a market bar: the logarithm of its realised volatility over a session's length, and the return over the
   same bars in units of that volatility, the trend. Both span a whole session, so the daily smile of volatility, which
   is no regime, does not show.
2. Once a month a mixture is fitted to the states of at most 20,000 bars before the month, scaled by their own mean and
   sd. Components are ordered by volatility: label 0 is the calmest.
3. A bar's label is its likeliest component; the regime is the commonest label of the last `smoothing` bars of the same
   session (a tie goes to the calmer one). No session is smoothed with another, so none mixes two months' fits.

After McLachlan and Peel, Finite Mixture Models (2000); fitted by scikit-learn's EM.
"""

# scikit-learn and threadpoolctl ship no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportOptionalSubscript=false

from __future__ import annotations

from warnings import catch_warnings, simplefilter

import numpy as np

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, Fitted, FloatArray, Int64Array
from feature_service.domain.returns import log_return

#: a realised volatility below this is a market that stands still
_STILL = 1e-8


def state(bars: Bars, window: int) -> FloatArray:
    """Return (n, 2): log volatility and trend of each bar; NaN in the first `window` - 1."""
    returns = log_return(bars)
    moving = rolling.root_mean_square(returns, window)
    trend = rolling.ratio(rolling.mean(returns, window) * np.sqrt(window), moving, neutral=0.0, smallest=_STILL)
    return np.column_stack([np.log(np.maximum(moving, _STILL)), trend])


def fit_mixture(bars: Bars, components: int, window: int) -> Fitted:
    """Return the mixture of the states of `bars`.

    mean, scale : (2,) that states are standardised with
    weights : (components,); means : (components, 2); precisions : (components, 2, 2), Cholesky factors; by volatility

    The bars' first `window` - 1 have no state. One thread and a fixed seed: the same bars give the same numbers.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    states = state(bars, window)[window - 1 :]
    mean, spread = states.mean(axis=0), states.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    with threadpool_limits(1), catch_warnings():
        # a market of fewer distinct states than components, or slow to settle, is described well enough
        simplefilter("ignore", ConvergenceWarning)
        model = GaussianMixture(components, reg_covar=1e-4, max_iter=200, random_state=0).fit((states - mean) / scale)
    order = np.argsort(model.means_[:, 0], kind="stable")
    return {
        "mean": mean,
        "scale": scale,
        "weights": model.weights_[order],
        "means": model.means_[order],
        "precisions": model.precisions_cholesky_[order],
    }


def label(states: FloatArray, fitted: Fitted) -> Int64Array:
    """Return the likeliest component of each state, -1 where it is NaN; shape (n,)."""
    z = (states - fitted["mean"]) / fitted["scale"]
    likelihood = np.empty((len(fitted["weights"]), len(z)))
    for one, (weight, mean, factor) in enumerate(
        zip(fitted["weights"], fitted["means"], fitted["precisions"], strict=True)
    ):
        # the factor is upper triangular and 2 by 2: written out, so that no library's threads reorder the sums
        first = (z[:, 0] - mean[0]) * factor[0, 0]
        second = (z[:, 0] - mean[0]) * factor[0, 1] + (z[:, 1] - mean[1]) * factor[1, 1]
        height = np.log(max(float(weight), 1e-300)) + np.log(factor[0, 0]) + np.log(factor[1, 1])
        likelihood[one] = height - 0.5 * (first**2 + second**2)
    found = np.argmax(likelihood, axis=0)
    return np.where(np.isnan(z).any(axis=1), -1, found)


def rolling_mode(labels: Int64Array, first: Int64Array, window: int, kinds: int) -> Int64Array:
    """Return the commonest of the last `window` labels of the same session; the smallest on a tie.

    labels : (n,) in 0..kinds-1, or -1, which does not count; first : index of each row's first row of the session

    Counted by differences of running counts, exact in integers: 490,000 labels take some 20 ms, so no compiled kernel
    is worth its start.
    """
    since = np.maximum(first, np.arange(len(labels)) - window + 1)
    counts = np.empty((kinds, len(labels)), dtype=np.int32)
    for kind in range(kinds):
        running = np.concatenate([[0], np.cumsum(labels == kind, dtype=np.int32)])
        counts[kind] = running[1:] - running[since]
    return np.where(counts.any(axis=0), np.argmax(counts, axis=0), -1)
