"""Estimators, artefacts, importance and metrics on arrays whose truth is known."""

import json

import numpy as np
import pytest

from shared.contracts.messages import Estimator
from shared.errors import Conflict, InvalidInput
from training_service.domain.artefacts import Frozen, checked, freeze, sha256
from training_service.domain.estimators import complete_params
from training_service.domain.importance import fold_importance
from training_service.domain.metrics import Scored, block_metrics, pooled_metrics, rank_correlation

NAMES = ("signal", "noise", "constant")


def relation(seed, rows=4_000):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(3, 2, rows), rng.normal(0, 5, rows), np.full(rows, 7.0)])
    return x, 1e-4 * (x[:, 0] - 3) + rng.normal(0, 2e-4, rows)


def frozen(estimator, seed=1):
    return freeze(estimator, complete_params(estimator, {}), NAMES, *relation(seed), seed=seed, threads=1)


@pytest.mark.parametrize("estimator", list(Estimator))
def test_an_artefact_is_data_and_predicts_the_same_after_a_round_trip(estimator):
    model = frozen(estimator)
    content = model.to_bytes()
    assert content == frozen(estimator).to_bytes()
    assert json.loads(content)["features"] == list(NAMES)
    again = Frozen.from_bytes(content, threads=1)
    x, _ = relation(2)
    assert (again.predict(x) == model.predict(x)).all()
    assert again.to_bytes() == content


@pytest.mark.parametrize("estimator", list(Estimator))
def test_importance_out_of_sample_finds_the_feature_that_matters(estimator):
    lost = fold_importance(frozen(estimator), *relation(2), seed=3)
    assert lost[0] > 0.2
    assert abs(lost[1]) < 0.01
    assert lost[2] == 0.0


@pytest.mark.parametrize("estimator", list(Estimator))
def test_a_feature_learned_from_noise_is_worth_nothing_out_of_sample(estimator):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(600, 12)), rng.normal(size=600)
    loose = {"alpha": 1e-4} if estimator is Estimator.ELASTICNET else {"n_estimators": 200, "min_child_weight": 1.0}
    names = tuple(f"f{column}" for column in range(12))
    model = freeze(estimator, complete_params(estimator, loose), names, x, y, seed=5, threads=1)
    assert fold_importance(model, rng.normal(size=(5_000, 12)), rng.normal(size=5_000), seed=6).mean() < 0.01


def test_a_changed_or_foreign_artefact_is_refused():
    content = frozen(Estimator.ELASTICNET).to_bytes()
    assert checked(content, sha256(content)) == content
    with pytest.raises(Conflict, match="was changed after it was frozen"):
        checked(content + b" ", sha256(content))
    with pytest.raises(Conflict, match="format 'pickle'"):
        Frozen.from_bytes(b'{"format": "pickle"}', threads=1)


@pytest.mark.parametrize(
    ("estimator", "params", "words"),
    [
        (Estimator.ELASTICNET, {"depth": 3}, "no parameter 'depth'"),
        (Estimator.ELASTICNET, {"alpha": "high"}, "alpha is 'high'"),
        (Estimator.XGBOOST, {"max_depth": 2.5}, "a whole number from 1 to 10"),
        (Estimator.XGBOOST, {"subsample": True}, "subsample is True"),
    ],
)
def test_parameters_are_checked_by_name_and_value(estimator, params, words):
    with pytest.raises(InvalidInput, match=words):
        complete_params(estimator, params)


def test_metrics_against_hand_worked_numbers():
    block = Scored(np.array([1.0, -1.0, 2.0, 0.0]), np.array([2.0, -1.0, 0.0, 1.0]), train_mean=0.0)
    # errors 1, 0, -2, 1: SSE 6; SST 4 + 1 + 0 + 1 = 6; three labels moved, two signs right
    assert block_metrics(block).r2 == 0.0
    assert block_metrics(block).hit_rate == pytest.approx(2 / 3)
    assert block_metrics(block).n == 4
    # ranks 3 1 4 2 and 4 1 2 3: sum of squared differences 1 + 0 + 4 + 1, rho = 1 - 6 * 6 / (4 * 15)
    assert block_metrics(block).ic == pytest.approx(0.4)


def test_what_is_undefined_is_none_and_not_zero():
    flat = Scored(np.zeros(3), np.zeros(3), train_mean=0.0)
    assert (block_metrics(flat).r2, block_metrics(flat).ic, block_metrics(flat).hit_rate) == (None, None, None)
    assert pooled_metrics([flat]).ic is None
    assert rank_correlation(np.array([1.0]), np.array([2.0])) is None
