"""Is this one series real? Two tests that fail differently; the verdict takes the larger p of the two.

Sources: Newey and West (1987, 1994 lag rule); day permutation as measured in the project's statistics notes: exact
when days are exchangeable, immune to drift and to a static time-of-day exposure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator_service.domain.statistics.distributions import t_tail

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TTest:
    """A t-statistic with its one-sided p; `se` is the standard error of the mean."""

    t: float
    p: float
    se: float


def hac_t(returns: Floats, lags: int | None = None) -> TTest:
    """Return the Newey-West t-test of mean(returns) > 0.

    returns : shape (T,), one number a day
    lags : autocovariances used; None: floor(4 (T/100)^(2/9))

    Without variance t is NaN and p is 1.
    """
    count = len(returns)
    if count < 3:
        return TTest(math.nan, 1.0, math.nan)
    used = int(4 * (count / 100) ** (2 / 9)) if lags is None else lags
    centred = returns - returns.mean()
    variance = float(centred @ centred) / count
    for lag in range(1, min(used, count - 1) + 1):
        weight = 1 - lag / (used + 1)
        variance += 2 * weight * float(centred[lag:] @ centred[:-lag]) / count
    # small-sample factor of the plain t, so that lags=0 is exactly Student's
    variance *= count / (count - 1)
    if variance <= 0:
        return TTest(math.nan, 1.0, math.nan)
    se = math.sqrt(variance / count)
    t = float(returns.mean()) / se
    return TTest(t, t_tail(t, count - 1), se)


def day_permutation_p(products: Floats, draws: int, rng: np.random.Generator) -> float:
    """Return the chance that positions held on shuffled days would have earned as much as on their own.

    products : shape (T, T); [i, j] is what the positions of day i earn on the returns of day j
        (positions (T, minutes) @ returns (T, minutes) transposed)
    """
    days = np.arange(len(products))
    observed = float(np.trace(products))
    # the observed order counts as one draw, so p is never 0; the slack absorbs rounding of equal sums
    slack = 1e-12 * float(np.abs(products).sum())
    reached = sum(float(products[days, rng.permutation(len(products))].sum()) >= observed - slack for _ in range(draws))
    return (1 + reached) / (1 + draws)
