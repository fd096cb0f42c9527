"""Does what was good stay good? Each trial's days cut in two halves, the first against the second.

A search that found something real shows trials that are good in both halves; one that found luck shows a cloud without
a slope. Both halves were searched, so this certifies nothing either: it can only disappoint.

The deflated Sharpe ratio is the probability that the best trial's true Sharpe ratio exceeds what the best of as many
worthless trials shows: PSR of Bailey and Lopez de Prado (2012) against the expected maximum (2014), with skewness g3
and kurtosis g4 of the daily returns: Phi[(sr - sr0) sqrt(T - 1) / sqrt(1 - g3 sr + (g4 - 1) / 4 sr^2)], all per day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from optimization_service.domain.luck import expected_maximum

Floats = npt.NDArray[np.float64]

_YEAR = 252
#: fewer sessions than this have no halves worth comparing
LEAST_SESSIONS = 20


@dataclass(frozen=True, kw_only=True)
class Halves:
    """Annualised Sharpe ratios of the first and the second half of each trial's sessions, (n,); NaN: undefined.

    rank_correlation : Spearman's, of the trials that have both; None for fewer than three
    kept : share of the first half's best tenth that is above the median in the second; one half is what luck keeps
    deflated : deflated Sharpe ratio of the best trial over all its sessions, None where it is undefined
    """

    first: Floats
    second: Floats
    rank_correlation: float | None
    kept: float | None
    deflated: float | None


def halves_of(returns: Sequence[Floats], trials: int) -> Halves:
    """Return what the halves say.

    returns : of each trial with figures, its daily returns after costs, flat days included
    trials : how many were made in all, failed ones too
    """
    first = np.array([_sharpe(daily[: len(daily) // 2]) for daily in returns])
    second = np.array([_sharpe(daily[len(daily) // 2 :]) for daily in returns])
    both = ~(np.isnan(first) | np.isnan(second))
    rank, kept = _agreement(first[both], second[both])
    return Halves(first=first, second=second, rank_correlation=rank, kept=kept, deflated=_deflated(returns, trials))


def deflated_sharpe(daily: Floats, trials: int, variance: float) -> float | None:
    """Return the deflated Sharpe ratio of daily returns, the best of `trials` whose daily ratios vary by `variance`."""
    spread = float(daily.std(ddof=1)) if len(daily) > 1 else 0.0
    if spread <= 0:
        return None
    scaled = (daily - daily.mean()) / daily.std()
    return probabilistic_sharpe(
        float(daily.mean()) / spread,
        math.sqrt(variance) * expected_maximum(trials),
        len(daily),
        float((scaled**3).mean()),
        float((scaled**4).mean()),
    )


def probabilistic_sharpe(sr: float, sr0: float, days: int, g3: float, g4: float) -> float | None:
    """Return the probability that the true ratio exceeds `sr0`; None where the moments leave no variance."""
    variance = 1 - g3 * sr + (g4 - 1) / 4 * sr**2
    return None if variance <= 0 else NormalDist().cdf((sr - sr0) * math.sqrt(days - 1) / math.sqrt(variance))


def _deflated(returns: Sequence[Floats], trials: int) -> float | None:
    ratios = np.array([_sharpe(daily) for daily in returns]) / math.sqrt(_YEAR)
    known = ratios[~np.isnan(ratios)]
    if len(known) < 2:
        return None
    return deflated_sharpe(returns[int(np.nanargmax(ratios))], trials, float(known.var(ddof=1)))


def _sharpe(daily: Floats) -> float:
    if len(daily) < LEAST_SESSIONS // 2:
        return math.nan
    spread = float(daily.std(ddof=1))
    return float(daily.mean()) / spread * math.sqrt(_YEAR) if spread > 0 else math.nan


def _agreement(first: Floats, second: Floats) -> tuple[float | None, float | None]:
    if len(first) < 3:
        return None, None
    best = first >= np.quantile(first, 0.9)
    kept = float((second[best] > np.median(second)).mean())
    a, b = _ranks(first), _ranks(second)
    if a.std() == 0 or b.std() == 0:
        return None, kept
    return float(np.corrcoef(a, b)[0, 1]), kept


def _ranks(values: Floats) -> Floats:
    """Return ranks, equal values sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[place].astype(np.float64)
