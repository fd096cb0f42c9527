"""Probability of back-test overfitting: how often the winner of one half of the days fails on the other.

Source: Bailey, Borwein, Lopez de Prado, Zhu, "The probability of backtest overfitting" (combinatorially symmetric
cross-validation).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Overfitting:
    """pbo: share of splits whose in-sample winner ranks in the lower half out of sample; loss: share where it loses."""

    pbo: float
    loss: float


def overfitting(ledger: npt.NDArray[np.floating], blocks: int = 10) -> Overfitting:
    """Return PBO and the winner's chance of a loss over all halvings of `blocks` equal spans of days.

    ledger : shape (K, T); days that do not fill the last block are left out; NaN when K < 2 or T < blocks.
    """
    count, days = ledger.shape
    width = days // blocks
    if count < 2 or width == 0:
        return Overfitting(float("nan"), float("nan"))
    spans = ledger[:, : width * blocks].reshape(count, blocks, width).astype(np.float64)
    sums, squares = spans.sum(axis=2).T, (spans**2).sum(axis=2).T  # (S, K)
    half = width * blocks // 2
    below = losses = splits = 0
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.isin(np.arange(blocks), chosen)
        train = _sharpe(sums[inside].sum(axis=0), squares[inside].sum(axis=0), half)
        test = _sharpe(sums[~inside].sum(axis=0), squares[~inside].sum(axis=0), half)
        winner = int(np.argmax(train))
        # midrank among equals, 1..K
        rank = float((test < test[winner]).sum()) + (float((test == test[winner]).sum()) + 1) / 2
        below += rank / (count + 1) <= 0.5
        losses += bool(sums[~inside, winner].sum() < 0)
        splits += 1
    return Overfitting(below / splits, losses / splits)


def _sharpe(total: Floats, squares: Floats, count: int) -> Floats:
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0) * count / max(count - 1, 1)
    # a trial that never traded is as good as doing nothing
    return np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 1e-24)
