"""Which features help out of sample.

Permutation importance on each fold's test block: how much r2 the fold's model loses there when one feature's values
are shuffled between rows, averaged over the folds with each fold counting the same. It is measured on rows no model
was fitted on, so a feature whose relation to the target did not hold beyond the training rows comes out at or below
zero, however much the model leaned on it: importance <= 0 reads "does not help out of sample". A feature that a
model never uses has exactly 0.

After Breiman 2001; out of sample and on purged folds as Lopez de Prado 2018, chapter 8 (MDA).
"""

from __future__ import annotations

import numpy as np

from training_service.domain.artefacts import Frozen
from training_service.domain.targets import FloatArray

#: rows of a test block that are enough: the loss averages over them, and time is features x rows
MAX_ROWS = 8_000


def fold_importance(model: Frozen, x: FloatArray, y: FloatArray, *, seed: int) -> FloatArray:
    """Return the r2 lost on these rows by shuffling each feature, shape (k,).

    x, y : a test block's labelled rows, shapes (n, k) and (n,); at most `MAX_ROWS` of them, evenly spread, are used
    seed : decides the one permutation, the same for every feature
    """
    chosen = np.unique(np.linspace(0, len(y) - 1, min(len(y), MAX_ROWS)).astype(np.int64))
    scaled, label = model.scaled(x[chosen]), y[chosen]
    without_model = float(np.square(label - model.target_mean).sum())
    lost = np.zeros(scaled.shape[1])
    if without_model == 0:
        return lost
    order = np.random.default_rng(seed).permutation(len(chosen))
    base = float(np.square(label - model.predict_scaled(scaled)).sum())
    for column in sorted(model.fitted.used()):
        kept = scaled[:, column].copy()
        scaled[:, column] = kept[order]
        lost[column] = (float(np.square(label - model.predict_scaled(scaled)).sum()) - base) / without_model
        scaled[:, column] = kept
    return lost
