"""Is the best of many trials real? Stationary-bootstrap max-t with Romano-Wolf step-down.

1. Draw B resamples of the T days in blocks of geometric length (Politis and Romano, 1994) and keep only how often
   each day occurs: a B x T matrix of counts.
2. One matrix product of the counts with the trials gives every resampled mean at once; minus the observed mean and
   over its standard error it is a draw of that trial's t when nothing is real.
3. Trials are taken from the weakest t to the strongest; the running maximum over them is, at each trial, the null of
   "this one and all weaker ones", which is what the step-down compares with (Romano and Wolf, 2005).

Work is chunked over trials: memory is B x chunk, whatever the size of the ledger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator_service.domain.statistics.distributions import t_log_cdf

Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]

_CHUNK = 2_048


@dataclass(frozen=True)
class Multiplicity:
    """What the whole ledger says about each of its trials.

    t : (K,) t-statistic of each trial's mean; NaN for a trial that never varied
    adjusted_p : (K,) familywise (Romano-Wolf) p; 1 for a trial that never varied
    null_max : (B,) draws of the largest t of the ledger when nothing is real
    effective_trials : independent trials that would have the same 95 % point of the largest t
    """

    t: Floats
    adjusted_p: Floats
    null_max: Floats
    effective_trials: float

    @property
    def live(self) -> int:
        """Trials that varied at all."""
        return int(np.isfinite(self.t).sum())


def stationary_counts(days: int, draws: int, block: float, rng: np.random.Generator) -> Float32s:
    """Return how often each of `days` occurs in each of `draws` circular resamples, shape (draws, days).

    Every row sums to `days`; blocks have geometric length of mean `block`.
    """
    fresh = rng.random((draws, days)) < 1 / block
    fresh[:, 0] = True
    starts = rng.integers(days, size=(draws, days))
    position = np.arange(days)
    begun = np.maximum.accumulate(np.where(fresh, position, 0), axis=1)
    rows = (np.take_along_axis(starts, begun, axis=1) + position - begun) % days
    rows += np.arange(draws)[:, None] * days
    counts = np.bincount(rows.ravel(), minlength=draws * days)
    return counts.reshape(draws, days).astype(np.float32)


def romano_wolf(ledger: npt.NDArray[np.floating], draws: int, block: float, rng: np.random.Generator) -> Multiplicity:
    """Return adjusted p-values of "mean > 0" for every row of `ledger`, shape (K, T): one trial a row, a day a column.

    Equal trials share one t and one adjusted p; an empty or dead ledger has p = 1 throughout.
    """
    count, days = ledger.shape
    t = _t_statistics(ledger)
    order = np.argsort(t, kind="stable")[: int(np.isfinite(t).sum())]  # NaN sorts last: dead trials drop out
    adjusted = np.ones(count)
    running = np.full(draws, -np.inf, dtype=np.float32)
    exceeded = np.zeros(len(order))
    counts = stationary_counts(days, draws, block, rng)
    for first in range(0, len(order), _CHUNK):
        rows = order[first : first + _CHUNK]
        running_max = _null_t(ledger[rows], counts)
        running_max[:, 0] = np.maximum(running_max[:, 0], running)
        np.maximum.accumulate(running_max, axis=1, out=running_max)
        running = running_max[:, -1].copy()
        exceeded[first : first + len(rows)] = (running_max >= t[rows].astype(np.float32)).sum(axis=0)
    # the observed sample counts as one draw; a weaker trial is never more significant than a stronger one
    p = (1 + exceeded) / (1 + draws)
    adjusted[order] = np.maximum.accumulate(p[::-1])[::-1]
    null_max = running.astype(np.float64)
    return Multiplicity(t, adjusted, null_max, effective_trials(null_max, days) if len(order) else 0.0)


def effective_trials(null_max: Floats, days: int) -> float:
    """Return ln .95 / ln F_t(c95): independent trials whose largest t has the same 95 % point.

    Never take an eigenvalue count in its stead: it saturates at T and lets a quarter of noise through.
    """
    critical = float(np.quantile(null_max, 0.95))
    log_below = t_log_cdf(critical, days - 1)
    return math.log(0.95) / log_below if log_below < 0 else math.inf


def _t_statistics(ledger: npt.NDArray[np.floating]) -> Floats:
    days = ledger.shape[1]
    mean = ledger.mean(axis=1, dtype=np.float64)
    sd = ledger.std(axis=1, ddof=1, dtype=np.float64) if days > 1 else np.zeros(len(ledger))
    t = np.full(len(ledger), np.nan)
    # a constant row's sd is rounding, not variance
    np.divide(mean * math.sqrt(days), sd, out=t, where=sd > 1e-12 * np.maximum(np.abs(mean), 1e-12))
    return t


def _null_t(trials: npt.NDArray[np.floating], counts: Float32s) -> Float32s:
    """Draws of each trial's t under no skill, shape (B, k): standardised first, so float32 is accurate enough."""
    wide = trials.astype(np.float64)
    wide -= wide.mean(axis=1, keepdims=True)
    wide /= wide.std(axis=1, ddof=1, keepdims=True) * math.sqrt(trials.shape[1])
    return counts @ wide.T.astype(np.float32)
