"""What single trades say: Tharp's system quality number and the profit factor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def sqn(trades: Floats) -> float:
    """Return sqrt(N) mean / sd (ddof 1) of the trades' returns, shape (N,): the t-statistic of the mean trade.

    NaN with fewer than two trades or no variance. Source: Tharp, System Quality Number.
    """
    return _scaled_mean(trades, len(trades))


def sqn100(trades: Floats) -> float:
    """Return SQN with N capped at 100, so that many mediocre trades do not look like skill."""
    return _scaled_mean(trades, min(len(trades), 100))


def profit_factor(trades: Floats) -> float:
    """Return the sum of gains over minus the sum of losses; NaN when nothing was lost."""
    losses = -float(trades[trades < 0].sum())
    return float(trades[trades > 0].sum()) / losses if losses > 0 else float("nan")


def _scaled_mean(trades: Floats, count: int) -> float:
    spread = float(trades.std(ddof=1)) if len(trades) > 1 else 0.0
    return float(np.sqrt(count) * trades.mean() / spread) if spread > 0 else float("nan")
