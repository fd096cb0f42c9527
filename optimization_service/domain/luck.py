"""The Sharpe ratio that the best of N worthless trials shows, and what a number of trades says.

Bailey and Lopez de Prado, "The Deflated Sharpe Ratio" (2014): with trials spread by `sd` around nothing, the largest
of N is expected at sd [(1 - G) z(1 - 1/N) + G z(1 - 1/(N e))], G = 0.5772..., z = the normal quantile. Trials of one
batch resemble each other, and settings that truly differ (some trade their costs away) spread further than worthless
ones would, so the true figure lies below: the line is honest in the cautious direction. Only days that no search has
seen can certify anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

_EULER_GAMMA = 0.5772156649015329

#: fewer trades than this say nothing, however good they look
FEW_TRADES = 10
#: the usual number of a strategy that picks its moments
TYPICAL_TRADES = (20, 50)
#: more trades than typical, and wrong on half of the bars or more: it trades on noise
_COIN = 0.5


@dataclass(frozen=True, kw_only=True)
class Luck:
    """A batch's best beside what chance alone would have shown; None where it is undefined."""

    trials: int
    best_sharpe: float | None
    sharpe_by_luck: float | None


def flag_of(trades: int, hit_rate: float | None) -> str:
    """Return what the number of trades says: lucky?, few, typical, churns, or nothing."""
    least, most = TYPICAL_TRADES
    if trades < FEW_TRADES:
        return "lucky?"
    if trades < least:
        return "few"
    if trades <= most:
        return "typical"
    return "churns" if hit_rate is not None and hit_rate < _COIN else ""


def expected_maximum(trials: int) -> float:
    """Return the expected largest of `trials` independent standard normal draws; 0 for a single one."""
    if trials < 2:
        return 0.0
    z = NormalDist().inv_cdf
    return (1 - _EULER_GAMMA) * z(1 - 1 / trials) + _EULER_GAMMA * z(1 - 1 / (trials * math.e))


def luck_of(trials: int, best_sharpe: float | None, sharpe_sd: float | None) -> Luck:
    """Return the batch's line; `sharpe_sd` is the spread (ddof 1) of its trials' Sharpe ratios."""
    by_luck = None if sharpe_sd is None else sharpe_sd * expected_maximum(trials)
    return Luck(trials=trials, best_sharpe=best_sharpe, sharpe_by_luck=by_luck)
