"""Generations of models: the first is a grid, each later one the pruned children of the best of the one before.

1. Generation 0 is every estimator x horizon on all features.
2. A trained model's features with importance <= 0 are dropped; what is left is its child. A line ends when nothing
   was dropped, or too little is left. This looks at training data only, so it costs no trial.
3. Which models may have children is decided by SELECT SQN100, settings with too few trades to be nominated last: that
   is a look at SELECT, and every simulated setting is in the ledger for it.
4. The search stops when it was told to, no line goes on, or nothing got better for a while.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator_service.domain.plan import Grid, SearchPlan
from orchestrator_service.domain.windows import Periods
from shared.contracts.messages import Folds, Metrics, Setting, Target, Train
from shared.errors import InvalidInput

Strength = tuple[bool, float]
#: strength of a model that never traded
NOTHING: Strength = (False, -math.inf)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A trained model of the present generation, with the metrics of its best setting on SELECT."""

    request: Train
    fingerprint: str
    importance: Mapping[str, float]
    best: Metrics | None


@dataclass(frozen=True, kw_only=True)
class Child:
    """A model to train next; `priority` is its parent's SQN on SELECT."""

    request: Train
    priority: float


def first_generation(plan: SearchPlan, symbol: str, periods: Periods) -> list[Train]:
    """Return the requests of generation 0, one per estimator and horizon; they predict SELECT and nothing later."""
    return [
        Train(
            symbol=symbol,
            feature_set=plan.feature_set,
            estimator=estimator,
            params=plan.params.get(estimator, {}),
            target=Target(horizon_bars=horizon),
            folds=folds_within(periods.train.sessions),
            train=periods.train.window,
            predict=periods.select.window,
            seed=plan.seed,
        )
        for estimator in plan.estimators
        for horizon in plan.horizons
    ]


def folds_within(sessions: int) -> Folds:
    """Return about four walk-forward folds over the second half of `sessions` training sessions."""
    train = max(5, sessions // 2)
    return Folds(train_days=train, test_days=max(1, (sessions - train) // 4))


def settings_for(grid: Grid, out_of_fold: npt.NDArray[np.float64]) -> tuple[Setting, ...]:
    """Return the trials of one model: thresholds are quantiles of |prediction|, (n,), made out of fold inside TRAIN.

    Thresholds that fall together (a model that predicts few values) are one trial, not several.
    Raises InvalidInput without a finite prediction.
    """
    finite = np.abs(out_of_fold[np.isfinite(out_of_fold)])
    if len(finite) == 0:
        raise InvalidInput(
            "the model has no out-of-fold prediction to take thresholds from: give it more training sessions"
        )
    # six digits: a threshold is a parameter with a readable name, and more would promise what is not there
    levels = sorted({float(f"{value:.6g}") for value in np.quantile(finite, grid.quantiles)})
    return tuple(
        Setting(threshold=level, side=grid.side, hold_bars=hold, delay_bars=grid.delay_bars, fill=grid.fill)
        for level in levels
        for hold in sorted(set(grid.hold_bars))
    )


def strength(plan: SearchPlan, metrics: Metrics | None) -> Strength:
    """Return a sort key: first whether there are trades enough to be nominated, then SQN100.

    Four lucky trades have a fine SQN100, and breeding from them leads nowhere.
    """
    if metrics is None or metrics.sqn100 is None:
        return NOTHING
    return metrics.trades >= plan.rules.min_trades, metrics.sqn100


def priority_of(metrics: Metrics | None) -> float:
    """Return the SQN that a model's children and their simulations run with; 0 where it is undefined."""
    if metrics is None or metrics.sqn is None:
        return 0.0
    return metrics.sqn


def kept_features(importance: Mapping[str, float], min_features: int) -> tuple[str, ...] | None:
    """Return the features worth keeping, sorted, or None when the line ends: nothing to drop, or too little left."""
    kept = tuple(sorted(name for name, weight in importance.items() if weight > 0))
    if len(kept) == len(importance) or len(kept) < min_features:
        return None
    return kept


def strongest(plan: SearchPlan, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return those that may have children, best first; ties go to the smaller fingerprint."""
    by_name = sorted(candidates, key=lambda one: one.fingerprint)
    return sorted(by_name, key=lambda one: strength(plan, one.best), reverse=True)[: plan.survivors]


def next_generation(plan: SearchPlan, candidates: Sequence[Candidate]) -> list[Child]:
    """Return the pruned children of the strongest candidates."""
    children: list[Child] = []
    for parent in strongest(plan, candidates):
        kept = kept_features(parent.importance, plan.min_features)
        if kept is not None:
            request = parent.request.model_copy(update={"features": kept, "parent": parent.fingerprint})
            children.append(Child(request=request, priority=priority_of(parent.best)))
    return children


def stop_reason(plan: SearchPlan, best_by_generation: Sequence[Strength], children: int) -> str | None:
    """Return why the search ends after these generations, or None when it goes on.

    best_by_generation : strength of the best model of each generation so far, NOTHING for one without trades
    """
    done = len(best_by_generation)
    if done >= plan.generations:
        return f"all {plan.generations} generations are done"
    if children == 0:
        return "no line goes on: nothing was left to prune"
    if done > plan.patience and max(best_by_generation[-plan.patience :]) <= max(best_by_generation[: -plan.patience]):
        return f"nothing got better for {plan.patience} generations"
    return None
