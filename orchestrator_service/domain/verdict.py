"""The one look: what the sealed days say about the frozen blend, and then about its members.

1. The blend's daily timing alpha on CONFIRM is tested twice, by a HAC t and by shuffling days; the larger p counts.
2. Only if the blend passes at the look's level are the members tested, strongest on SELECT first, each at the same
   level, stopping at the first failure: a fixed sequence keeps the familywise error at that level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from orchestrator_service.domain.statistics.sharpe import annual, shape_of, smallest_confirmable
from orchestrator_service.domain.statistics.significance import TTest, day_permutation_p, hac_t
from shared.contracts.messages import Message

Floats = npt.NDArray[np.float64]


class Finding(Message):
    """What one series showed on CONFIRM; Sharpe ratios annual, of timing alpha, with a 95 % interval."""

    p: float
    p_hac: float
    p_permutation: float | None = None  # members are tested by HAC t alone
    t: float | None
    sharpe: float | None
    sharpe_low: float | None
    sharpe_high: float | None
    raw_sharpe: float | None
    passed: bool


class Verdict(Message):
    """The answer of one look. `members` are those tested, in order; the first that failed is the last."""

    level: float
    sessions: int
    blend: Finding
    members: tuple[Finding, ...]
    #: the smallest true Sharpe ratio that this holdout finds with 80 % power at this level
    smallest_confirmable_sharpe: float

    @property
    def promoted(self) -> int:
        """How many members passed."""
        return sum(member.passed for member in self.members)


def decide(
    alphas: Floats,
    raw: Floats,
    weights: Sequence[float],
    products: Floats,
    *,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Verdict:
    """Return the verdict on frozen members.

    Parameters
    ----------
    alphas, raw
        Daily timing alpha and daily return on CONFIRM, shape (M, T), members strongest on SELECT first.
    weights
        The blend's weights, frozen on SELECT, summing to 1.
    products
        Shape (T, T): what the blend's positions of day i earn on the returns of day j.
    """
    share = np.asarray(weights)
    blend_alpha: Floats = share @ alphas
    test = hac_t(blend_alpha)
    shuffled = day_permutation_p(products, draws, rng)
    blend = _finding(blend_alpha, share @ raw, test, level, shuffled)
    members: list[Finding] = []
    if blend.passed:
        for alpha, daily in zip(alphas, raw, strict=True):
            members.append(_finding(alpha, daily, hac_t(alpha), level))
            if not members[-1].passed:
                break
    days = alphas.shape[1]
    return Verdict(
        level=level,
        sessions=days,
        blend=blend,
        members=tuple(members),
        smallest_confirmable_sharpe=smallest_confirmable(days, level),
    )


def _finding(alpha: Floats, raw: Floats, test: TTest, level: float, shuffled: float | None = None) -> Finding:
    p = test.p if shuffled is None else max(test.p, shuffled)
    sharpe = annual(shape_of(alpha).sharpe)
    spread = float(alpha.std(ddof=1))
    error = annual(test.se / spread) if spread > 0 else math.nan
    return Finding(
        p=p,
        p_hac=test.p,
        p_permutation=shuffled,
        t=_finite(test.t),
        sharpe=_finite(sharpe),
        sharpe_low=_finite(sharpe - 1.96 * error),
        sharpe_high=_finite(sharpe + 1.96 * error),
        raw_sharpe=_finite(annual(shape_of(raw).sharpe)),
        passed=p <= level,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
