"""What a batch is named by, what its jobs add up to, and the line of luck against published numbers."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from optimization_service.domain.batch import Pair, batch_of
from optimization_service.domain.halves import halves_of, probabilistic_sharpe
from optimization_service.domain.luck import expected_maximum, flag_of, luck_of
from optimization_service.domain.records import BatchRecord, BatchState, Step, Trial, standing_of
from optimization_service.domain.search import Search
from shared.contracts.messages import Costs, Window
from shared.errors import InvalidInput

WINDOW = Window(start=datetime(2024, 3, 1, tzinfo=UTC), end=datetime(2024, 4, 1, tzinfo=UTC))


def pair(letter, symbol="SPY"):
    return Pair(model=letter * 64, symbol=symbol, window=WINDOW)


def batch(pairs, search=None, **axes):
    return batch_of(
        pairs, axes or {"threshold": [0.001, 0.002]}, search=search or Search(), costs=Costs(), starting_cash=1e5
    )


@pytest.mark.parametrize(
    ("trials", "expected"), [(10, 1.5746), (45, 2.2356), (100, 2.5306), (1000, 3.2551), (10_000, 3.8607)]
)
def test_expected_maximum_as_published(trials, expected):
    assert expected_maximum(trials) == pytest.approx(expected, abs=5e-5)


def test_luck_is_close_to_what_noise_really_shows():
    noise = np.random.default_rng(3).normal(0, 0.8, (2_000, 200))
    shown = noise.max(axis=1).mean()
    assert luck_of(200, 2.0, 0.8).sharpe_by_luck == pytest.approx(shown, rel=0.03)


def test_luck_of_one_trial_or_none():
    assert luck_of(1, 1.0, None).sharpe_by_luck is None
    assert expected_maximum(1) == 0.0
    assert expected_maximum(0) == 0.0


@pytest.mark.parametrize(
    ("trades", "hit_rate", "flag"),
    [
        (0, None, "lucky?"), (9, 0.9, "lucky?"), (10, 0.9, "few"), (20, 0.1, "typical"), (50, 0.1, "typical"),
        (51, 0.49, "churns"), (51, 0.5, ""), (51, None, ""),
    ],
)  # fmt: skip
def test_what_a_number_of_trades_says(trades, hit_rate, flag):
    assert flag_of(trades, hit_rate) == flag


@pytest.mark.parametrize(
    ("costs_paid", "delay_bars", "flag"),
    [(5.0, 1, "few"), (0.0, 1, "few, no costs"), (5.0, 0, "few, optimistic"), (0.0, 0, "few, no costs, optimistic")],
)
def test_what_makes_a_trial_look_better_than_it_could_be_is_flagged(costs_paid, delay_bars, flag):
    trial = Trial(
        run="a-0", sweep="a", index=0, model="m", symbol="SPY", setting={"delay_bars": delay_bars},
        metrics={"trades": 12, "hit_rate": 0.6, "costs_paid": costs_paid}, number=None, plateau=None, neighbours=None,
        start=None, end=None, costs=None, starting_cash=None, terms="unknown",
    )  # fmt: skip
    assert trial.flag == flag


def test_the_order_of_models_and_repeated_values_do_not_name_another_batch():
    one = batch([pair("a"), pair("b")], threshold=(0.001, 0.002), hold_bars=(0, 15))
    other = batch([pair("b"), pair("a"), pair("b")], hold_bars=(15, 0), threshold=(0.001, 0.001, 0.002))
    assert one.fingerprint == other.fingerprint
    assert one.trials == 2 * 2 * 2
    assert batch([pair("a")]).fingerprint != batch([pair("a", "QQQ")]).fingerprint


def test_what_a_method_does_not_read_names_no_other_batch():
    first, second = (batch([pair("a")], Search(seed=seed)).fingerprint for seed in (1, 2))
    assert first == second, "an exhaustive search draws nothing"
    first, second = (batch([pair("a")], Search(method="random", seed=seed)).fingerprint for seed in (1, 2))
    assert first != second


def test_simulations_hold_every_point_once_in_chunks_of_one_pair():
    asked = batch([pair("a"), pair("b")], threshold=[i / 1e4 for i in range(40)], hold_bars=list(range(20)))
    sweeps = list(asked.sweeps(range(asked.trials)))
    assert [(which, len(points)) for which, points, _ in sweeps] == [(0, 500), (0, 300), (1, 500), (1, 300)]
    assert [point for _, points, _ in sweeps for point in points] == list(range(1_600))
    _, points, sweep = sweeps[2]
    assert sweep.model == asked.pairs[1].model
    assert sweep.settings == tuple(asked.space.setting(point) for point in points)


def test_too_large_and_empty_batches_are_refused():
    fine = {"threshold": [i / 1e5 for i in range(1_000)], "hold_bars": list(range(101))}
    with pytest.raises(InvalidInput, match="101000 trials, at most 100000 a exhaustive batch"):
        batch([pair("a")], **fine)
    assert batch([pair("a")], Search(method="random", trials=1_000), **fine).trials == 1_000
    with pytest.raises(InvalidInput, match="no model to try"):
        batch([])


def record(failed=0, ranked=0, ranked_at=None):
    at = datetime(2025, 1, 1, tzinfo=UTC)
    return BatchRecord(
        fingerprint="f", definition={}, pairs=4, trials=40, job_id=1, created_at=at, ranked_at=ranked_at,
        best_sharpe=None, ranked=ranked, failed=failed,
    )  # fmt: skip


def step(kind, state, jobs=1, error=None, group=None, points=0):
    return Step(kind=kind, state=state, error=error, jobs=jobs, group=group, points=points)


AT = datetime(2025, 1, 2, tzinfo=UTC)
BEGUN = step("optimization.batch", "COMPLETED")


def sweeps(state, jobs, *, group, points):
    return step("simulation.sweep", state, jobs, group=group, points=points)


FIRST = [BEGUN, sweeps("COMPLETED", 3, group=2, points=40), sweeps("RUNNING", 1, group=2, points=40)]
SECOND = [
    BEGUN,
    sweeps("COMPLETED", 4, group=2, points=20),
    sweeps("COMPLETED", 1, group=4, points=20),
    sweeps("PENDING", 1, group=4, points=20),
]
PREDICTING = [BEGUN, step("training.predict", "RUNNING", 2, group=1)]
FORGOTTEN = "its jobs were removed before it ended: start it again, and it goes on where its rows end"
BROKEN = [step("optimization.sweep", "FAILED", 1, "no disk")]


@pytest.mark.parametrize(
    ("stored", "steps", "state", "done", "note"),
    [
        (record(), [step("optimization.batch", "PENDING")], BatchState.PENDING, 0, ""),
        (record(), PREDICTING, BatchState.RUNNING, 0, "0 of 2 jobs predicted"),
        (record(), FIRST, BatchState.RUNNING, 30, "3 of 4 jobs simulated"),
        (record(ranked=20), SECOND, BatchState.RUNNING, 30, "round 2: 1 of 2 jobs simulated"),
        (record(ranked=40, ranked_at=AT), [BEGUN], BatchState.COMPLETED, 40, ""),
        (record(ranked=40, failed=10, ranked_at=AT), [BEGUN], BatchState.PARTIAL, 30, "10 of 40 failed"),
        (record(ranked=20), BROKEN, BatchState.FAILED, 20, "no disk"),
        (record(ranked=20), [], BatchState.CANCELLED, 20, FORGOTTEN),
        (record(ranked=40, ranked_at=AT), [], BatchState.COMPLETED, 40, ""),
    ],
)
def test_what_the_jobs_of_a_batch_add_up_to(stored, steps, state, done, note):
    standing = standing_of(stored, steps)
    assert (standing.state, standing.done, standing.note) == (state, done, note)


def test_the_deflated_sharpe_ratio_as_published():
    trials_sd = math.sqrt(0.5 / 250)
    hurdle = trials_sd * expected_maximum(100)
    assert hurdle == pytest.approx(0.113172, abs=1e-6)
    found = probabilistic_sharpe(2.5 / math.sqrt(250), hurdle, 1_250, -3.0, 10.0)
    assert found == pytest.approx(0.900397, abs=1e-6)


def test_halves_of_something_real_agree_and_those_of_luck_do_not():
    rng = np.random.default_rng(5)
    luck = halves_of([rng.normal(0, 0.01, 250) for _ in range(400)], 400)
    skills = rng.normal(0, 0.002, 400)
    real = halves_of([rng.normal(skill, 0.01, 250) for skill in skills], 400)
    assert abs(luck.rank_correlation) < 0.15
    assert luck.kept == pytest.approx(0.5, abs=0.2)
    assert luck.deflated < 0.9
    assert real.rank_correlation > 0.6
    assert real.kept > 0.85
    assert np.isnan(halves_of([np.zeros(250), np.ones(5)], 2).first).all(), "no variance, and too few days"
