"""Sharpe ratios: how sure one is (PSR), how long it takes (MinTRL), and what the best of many means (DSR).

Sources: Bailey and Lopez de Prado, "The Sharpe ratio efficient frontier" (2012) and "The deflated Sharpe ratio"
(2014); power of the one-sided t-test from the noncentral t distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator_service.domain.statistics import distributions as dist

Floats = npt.NDArray[np.float64]

TRADING_DAYS = 252
_EULER = 0.5772156649015329


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A return series in four numbers; `sharpe` per period, `kurtosis` raw (3 = normal)."""

    sharpe: float
    periods: int
    skew: float = 0.0
    kurtosis: float = 3.0

    @property
    def variance_factor(self) -> float:
        """1 - g3 SR + (g4 - 1)/4 SR^2: how much fatter than normal the estimate's error is."""
        return 1 - self.skew * self.sharpe + (self.kurtosis - 1) / 4 * self.sharpe**2


def shape_of(returns: Floats) -> Shape:
    """Return the shape of `returns` (T,); `sharpe` is NaN when they do not vary."""
    count = len(returns)
    spread = float(returns.std(ddof=1)) if count > 1 else 0.0
    if spread == 0:
        return Shape(sharpe=float("nan"), periods=count)
    centred: Floats = returns - returns.mean()
    squares: Floats = centred * centred
    second = float(squares.sum()) / count
    return Shape(
        sharpe=float(returns.mean()) / spread,
        periods=count,
        skew=float(squares @ centred) / count / second**1.5,
        kurtosis=float(squares @ squares) / count / second**2,
    )


def annual(sharpe: float, periods_per_year: int = TRADING_DAYS) -> float:
    """Return a per-period Sharpe ratio as an annual one."""
    return sharpe * math.sqrt(periods_per_year)


def probabilistic_sharpe(shape: Shape, benchmark: float = 0.0) -> float:
    """Return PSR: the probability that the true Sharpe ratio exceeds `benchmark` (both per period)."""
    excess = (shape.sharpe - benchmark) * math.sqrt(shape.periods - 1)
    return dist.normal_cdf(excess / math.sqrt(shape.variance_factor))


def minimum_track_record(shape: Shape, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Return MinTRL: periods needed to say with `confidence` that the true Sharpe ratio exceeds `benchmark`.

    Infinite when the observed one does not. `shape.periods` plays no part.
    """
    if not shape.sharpe > benchmark:
        return math.inf
    z = dist.normal_quantile(confidence)
    return 1 + shape.variance_factor * (z / (shape.sharpe - benchmark)) ** 2


def expected_maximum(trials: float, sd: float = 1.0) -> float:
    """Return the expected largest of `trials` independent normal draws of standard deviation `sd`.

    (1 - G) z(1 - 1/N) + G z(1 - 1/(N e)); 0 for a single trial.
    """
    if trials <= 1:
        return 0.0
    typical, extreme = dist.normal_quantile(1 - 1 / trials), dist.normal_quantile(1 - 1 / (trials * math.e))
    return sd * ((1 - _EULER) * typical + _EULER * extreme)


def deflated_sharpe(shape: Shape, trials: float, variance_of_trials: float) -> float:
    """Return DSR: PSR against the Sharpe ratio the best of `trials` would show by luck.

    variance_of_trials : variance of the trials' per-period Sharpe ratios
    """
    return probabilistic_sharpe(shape, expected_maximum(trials, math.sqrt(variance_of_trials)))


def deflation_hurdle(trials: float, confidence: float = 0.95) -> float:
    """Return the z that the best of `trials` normal draws must reach for a DSR of `confidence`."""
    return expected_maximum(trials) + dist.normal_quantile(confidence)


def chance_of_any(trials: float, z: float) -> float:
    """Return the probability that any of `trials` independent worthless trials shows at least `z`."""
    return -math.expm1(trials * math.log1p(-dist.normal_cdf(-z)))


def smallest_confirmable(periods: int, level: float, power: float = 0.8) -> float:
    """Return the annual Sharpe ratio that a one-sided t-test at `level` on `periods` days finds with `power`."""
    critical = dist.t_quantile(1 - level, periods - 1)
    low, high = 0.0, critical + 20.0
    # power grows with the true Sharpe ratio: 50 halvings leave an error far below any that matters
    for _ in range(50):
        middle = (low + high) / 2
        if dist.shifted_t_tail(critical, periods - 1, middle) < power:
            low = middle
        else:
            high = middle
    return annual(high / math.sqrt(periods))
