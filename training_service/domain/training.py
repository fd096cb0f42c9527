"""From a matrix of features and labels to a judged and frozen model.

1. Cut walk-forward folds from the rows of the training window.
2. On each fold: fit scaler and estimator on its training rows only; predict its test block; score; measure what each
   feature adds there.
3. Fit the model that is kept on every labelled row whose label is known by the end of the training window.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.contracts.folds import Fold, walk_forward
from shared.contracts.messages import Train
from shared.contracts.progress import Progress
from shared.contracts.sessions import Sessions
from shared.errors import InvalidInput
from training_service.domain.artefacts import Frozen, freeze
from training_service.domain.importance import fold_importance
from training_service.domain.metrics import Metrics, Scored, block_metrics, pooled_metrics
from training_service.domain.targets import FloatArray, Int64Array

#: changed by hand whenever the same inputs give other numbers
CODE_VERSION = "1"
#: fewer rows than this and a fit is not worth the name
MIN_TRAIN_ROWS = 200


@dataclass(frozen=True)
class Matrix:
    """Rows of one symbol that have every feature, ascending in time.

    ts_us : bar starts, shape (n,)
    x : features in the order of `features`, shape (n, k), no NaN
    label, label_end_us : as `targets.Labels`; label is NaN where there is none
    """

    ts_us: Int64Array
    x: FloatArray
    features: tuple[str, ...]
    label: FloatArray
    label_end_us: Int64Array

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        return ~np.isnan(self.label)


@dataclass(frozen=True, kw_only=True)
class FoldResult:
    """One fold: what it was cut to and how its model did on its test block."""

    fold: Fold
    model: Frozen
    prediction: FloatArray
    metrics: Metrics
    importance: FloatArray

    def as_json(self) -> dict[str, Any]:
        fold = self.fold
        return {
            "fold": fold.number,
            "train_sessions": fold.train_sessions,
            "test_sessions": fold.test_sessions,
            "train_rows": len(fold.train),
            "test_rows": len(fold.test),
            "purged": fold.purged,
            "embargoed": fold.embargoed,
            **asdict(self.metrics),
        }


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training. `importance` is the mean over folds, by feature name."""

    frozen: Frozen
    folds: list[FoldResult]
    metrics: Metrics
    importance: dict[str, float]
    train_rows: int


def train(
    matrix: Matrix, sessions: Sessions, task: Train, params: dict[str, float | int], *, threads: int, progress: Progress
) -> Trained:
    """Run the three steps of the module's docstring.

    matrix : rows of the training window
    sessions : the sessions of the training window
    params : complete, as `estimators.complete_params` returns them

    Raises InvalidInput when there are too few rows for one fold.
    """
    folds = walk_forward(matrix.ts_us, matrix.label_end_us, matrix.labelled, sessions, task.folds)
    results, scored = list[FoldResult](), list[Scored]()
    for fold in folds:
        result, score = _run_fold(matrix, fold, task, params, threads)
        results.append(result)
        scored.append(score)
        progress.advanced(0.9 * len(results) / len(folds), f"fold {len(results)} of {len(folds)}")
    end_us = int(task.train.end_utc.timestamp() * 1_000_000)
    kept = np.flatnonzero(matrix.labelled & (matrix.label_end_us <= end_us))
    importance = np.mean([result.importance for result in results], axis=0)
    return Trained(
        frozen=_fit(matrix, kept, task, params, threads),
        folds=results,
        metrics=pooled_metrics(scored),
        importance={name: float(lost) for name, lost in zip(matrix.features, importance, strict=True)},
        train_rows=len(kept),
    )


def _run_fold(
    matrix: Matrix, fold: Fold, task: Train, params: dict[str, float | int], threads: int
) -> tuple[FoldResult, Scored]:
    if len(fold.train) < MIN_TRAIN_ROWS:
        raise InvalidInput(
            f"fold {fold.number} has {len(fold.train)} labelled rows to train on, {MIN_TRAIN_ROWS} are needed: "
            "the symbol trades too rarely for this horizon, or train_days is too small"
        )
    model = _fit(matrix, fold.train, task, params, threads)
    x, label = matrix.x[fold.test], matrix.label[fold.test]
    prediction = model.predict(x)
    known = ~np.isnan(label)
    score = Scored(prediction[known], label[known], model.target_mean)
    # one seed a fold, so that adding a fold changes no other fold's permutation
    importance = fold_importance(model, x[known], label[known], seed=task.seed + fold.number)
    metrics = block_metrics(score)
    return FoldResult(fold=fold, model=model, prediction=prediction, metrics=metrics, importance=importance), score


def _fit(matrix: Matrix, rows: Int64Array, task: Train, params: dict[str, float | int], threads: int) -> Frozen:
    return freeze(
        task.estimator,
        params,
        matrix.features,
        matrix.x[rows],
        matrix.label[rows],
        seed=task.seed,
        threads=threads,
    )
