"""Generations: who is trained, what is cut, who goes on, when it ends."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from test_orchestrator_windows import history

from orchestrator_service.domain.evolution import (
    NOTHING,
    Candidate,
    first_generation,
    folds_within,
    kept_features,
    next_generation,
    priority_of,
    settings_for,
    stop_reason,
    strength,
)
from orchestrator_service.domain.plan import Grid, SearchPlan
from orchestrator_service.domain.windows import split_sessions
from shared.contracts.messages import Estimator, Metrics
from shared.errors import InvalidInput

PERIODS = split_sessions(history(750), 250, 250)
PLAN = SearchPlan()


def metrics(sqn100: float | None, sqn: float | None = None, trades: int = 300) -> Metrics:
    return Metrics(
        total_return=0, buy_hold_return=0, sharpe=None, max_drawdown=0, sqn=sqn, sqn100=sqn100, profit_factor=None,
        trades=trades, win_rate=None, hit_rate=None, exposure=0.1, costs_paid=0, final_equity=1, timing_alpha_t=None,
    )  # fmt: skip


def candidate(name: str, sqn100: float | None, importance: dict[str, float]) -> Candidate:
    request = first_generation(PLAN, "SPY", PERIODS)[0]
    return Candidate(request=request, fingerprint=name * 64, importance=importance, best=metrics(sqn100, sqn100))


def test_the_first_generation_is_every_estimator_and_horizon_and_never_sees_confirm():
    requests = first_generation(PLAN, "SPY", PERIODS)
    made = [(request.estimator, request.target.horizon_bars) for request in requests]
    assert made == [(e, h) for e in (Estimator.ELASTICNET, Estimator.XGBOOST) for h in (5, 15, 30)]
    for request in requests:
        assert request.train == PERIODS.train.window
        assert request.predict == PERIODS.select.window
        assert request.predict.end < PERIODS.confirm.window.start
        assert request.features == ()


@given(st.integers(6, 1_000))
def test_folds_fit_into_the_training_sessions(sessions):
    folds = folds_within(sessions)
    assert folds.train_days + folds.test_days <= sessions


def test_what_did_nothing_is_cut_and_lines_end():
    assert kept_features({"b": 1.0, "a": 0.5, "c": 0.0, "d": -0.1}, 2) == ("a", "b")
    assert kept_features({"a": 1.0, "b": 0.1}, 1) is None  # nothing to cut
    assert kept_features({"a": 1.0, "b": 0.0}, 2) is None  # too little left
    assert kept_features({"a": 1.0, "b": math.nan}, 1) == ("a",)


def test_children_come_from_the_strongest_and_carry_their_parent():
    prunable = {"a": 1.0, "b": 0.5, "c": 0.2, "d": 0.0}
    candidates = [
        candidate("1", 0.5, prunable),
        candidate("2", 2.0, prunable),
        candidate("3", None, prunable),
        candidate("4", 1.0, {"a": 1.0, "b": 1.0, "c": 1.0}),
        candidate("5", -1.0, prunable),
    ]
    children = next_generation(PLAN, candidates)
    assert [child.request.parent for child in children] == ["2" * 64, "1" * 64]
    assert [child.priority for child in children] == [2.0, 0.5]
    assert all(child.request.features == ("a", "b", "c") for child in children)


def test_undefined_figures_rank_last_and_run_with_priority_zero():
    assert strength(PLAN, None) == strength(PLAN, metrics(None)) == NOTHING
    assert priority_of(None) == priority_of(metrics(1.0, None)) == 0.0
    assert priority_of(metrics(1.0, -2.5)) == -2.5


@pytest.mark.parametrize("figure", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_no_figure(figure):
    with pytest.raises(ValidationError, match="finite number"):
        metrics(figure)


def test_four_lucky_trades_are_weaker_than_many_good_ones():
    lucky, good, poor = metrics(5.0, trades=4), metrics(1.0, trades=200), metrics(-3.0, trades=200)
    ranked = sorted([lucky, None, good, poor], key=lambda one: strength(PLAN, one), reverse=True)
    assert ranked == [good, poor, lucky, None]


@pytest.mark.parametrize(
    ("bests", "children", "reason"),
    [
        ([1.0], 2, None),
        ([1.0], 0, "no line goes on: nothing was left to prune"),
        ([1.0, 0.5], 2, None),
        ([1.0, 0.5, 0.9], 2, "nothing got better for 2 generations"),
        ([1.0, 0.5, 1.1], 2, None),
        ([-math.inf, -math.inf, -math.inf], 2, "nothing got better for 2 generations"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 2, "all 5 generations are done"),
    ],
)
def test_when_a_search_ends(bests, children, reason):
    assert stop_reason(SearchPlan(generations=5), [(True, best) for best in bests], children) == reason


def test_thresholds_are_quantiles_of_out_of_fold_predictions():
    predictions = np.concatenate([np.linspace(-0.01, 0.01, 2_001), [np.nan, np.inf]])
    settings = settings_for(Grid(quantiles=(0.5, 0.9), hold_bars=(0, 15)), predictions)
    assert [(s.threshold, s.hold_bars) for s in settings] == [
        (0.005, 0), (0.005, 15), (0.009, 0), (0.009, 15),
    ]  # fmt: skip
    scaled = settings_for(Grid(quantiles=(0.5, 0.9), hold_bars=(0, 15)), 3 * predictions)
    assert [s.threshold for s in scaled] == pytest.approx([3 * s.threshold for s in settings])


def test_equal_thresholds_are_one_trial_and_no_prediction_is_refused():
    assert [s.threshold for s in settings_for(Grid(hold_bars=(0,)), np.zeros(50))] == [0.0]
    with pytest.raises(InvalidInput, match="no out-of-fold prediction"):
        settings_for(Grid(), np.array([np.nan]))
