"""How good predictions were, always out of sample.

* r2 : 1 - SSE / SST, where SST is the squared error of predicting the training rows' mean label. So 0 is what one
  gets without a model, and overfitting shows as a negative number.
* ic : Spearman's rank correlation of prediction and label; None when either does not vary.
* hit_rate : share of rows where prediction and label have the same sign, over rows whose label is not 0; None when
  there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from training_service.domain.targets import FloatArray


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Metrics of one block, or pooled over blocks."""

    r2: float | None
    ic: float | None
    hit_rate: float | None
    n: int


@dataclass(frozen=True)
class Scored:
    """A test block's labelled rows: predictions, labels and the mean label of the fold's training rows."""

    prediction: FloatArray
    label: FloatArray
    train_mean: float

    @property
    def squared_error(self) -> float:
        return float(np.square(self.label - self.prediction).sum())

    @property
    def squared_error_without_model(self) -> float:
        return float(np.square(self.label - self.train_mean).sum())


def block_metrics(block: Scored) -> Metrics:
    """Return the metrics of one test block."""
    return Metrics(
        r2=_r2([block]),
        ic=rank_correlation(block.prediction, block.label),
        hit_rate=_hit_rate([block]),
        n=len(block.label),
    )


def pooled_metrics(blocks: Sequence[Scored]) -> Metrics:
    """Return r2 and hit_rate over all rows, and the mean of the blocks' ic (each block's model has its own scale)."""
    ics = [ic for block in blocks if (ic := rank_correlation(block.prediction, block.label)) is not None]
    return Metrics(
        r2=_r2(blocks),
        ic=float(np.mean(ics)) if ics else None,
        hit_rate=_hit_rate(blocks),
        n=sum(len(block.label) for block in blocks),
    )


def rank_correlation(one: FloatArray, other: FloatArray) -> float | None:
    """Return Spearman's rho with average ranks for ties; None when one does not vary."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    ranks = [pl.Series(values).rank().to_numpy() - (len(values) + 1) / 2 for values in (one, other)]
    return float(ranks[0] @ ranks[1] / np.sqrt((ranks[0] @ ranks[0]) * (ranks[1] @ ranks[1])))


def _r2(blocks: Sequence[Scored]) -> float | None:
    without = sum(block.squared_error_without_model for block in blocks)
    return 1 - sum(block.squared_error for block in blocks) / without if without > 0 else None


def _hit_rate(blocks: Sequence[Scored]) -> float | None:
    moved = sum(int((block.label != 0).sum()) for block in blocks)
    hits = sum(int(((block.label * block.prediction) > 0).sum()) for block in blocks)
    return hits / moved if moved else None
