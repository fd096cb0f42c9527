"""What a batch is named by, what its jobs add up to, and the line of luck against published numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from optimization_service.domain.batch import Grid, Pair, batch_of
from optimization_service.domain.luck import expected_maximum, luck_of
from optimization_service.domain.records import BatchRecord, BatchState, Step, standing_of
from shared.contracts.messages import Costs, Window
from shared.errors import InvalidInput

WINDOW = Window(start=datetime(2024, 3, 1, tzinfo=UTC), end=datetime(2024, 4, 1, tzinfo=UTC))


def pair(letter, symbol="SPY"):
    return Pair(model=letter * 64, symbol=symbol, window=WINDOW)


def batch(pairs, **grid):
    return batch_of(pairs, Grid(**grid), costs=Costs(), starting_cash=1e5)


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


def test_the_order_of_models_and_repeated_values_do_not_name_another_batch():
    one = batch([pair("a"), pair("b")], thresholds=(0.001, 0.002))
    other = batch([pair("b"), pair("a"), pair("b")], thresholds=(0.001, 0.001, 0.002))
    assert one.fingerprint == other.fingerprint
    assert one.trials == 2 * 2 * 2
    assert batch([pair("a")]).fingerprint != batch([pair("a", "QQQ")]).fingerprint


def test_every_combination_is_a_setting_once():
    settings = Grid(sides=("long_flat", "long_short"), hold_bars=(0, 5, 15), delay_bars=(1, 4)).settings()
    assert len(settings) == len(set(settings)) == 2 * 3 * 2 * 4


def test_too_large_and_empty_batches_are_refused():
    with pytest.raises(InvalidInput, match="1600 settings: at most 1000"):
        Grid(thresholds=tuple(i / 1e4 for i in range(40)), hold_bars=tuple(range(40))).settings()
    with pytest.raises(InvalidInput, match="no model to try"):
        batch([])


def record(failed=0):
    at = datetime(2025, 1, 1, tzinfo=UTC)
    return BatchRecord(
        fingerprint="f", definition={}, pairs=4, settings=8, job_id=1, created_at=at, ranked_at=None,
        best_sharpe=None, failed=failed,
    )  # fmt: skip


def step(kind, state, jobs=1, error=None):
    return Step(kind=kind, state=state, error=error, jobs=jobs, progress=0.0)


@pytest.mark.parametrize(
    ("steps", "failed", "state", "done", "note"),
    [
        ([step("optimization.batch", "PENDING")], 0, BatchState.PENDING, 0, ""),
        (
            [step("optimization.batch", "COMPLETED"), step("training.predict", "RUNNING", 2)],
            0, BatchState.RUNNING, 0, "0 of 2 predicted",
        ),
        (
            [step("simulation.sweep", "COMPLETED", 3), step("simulation.sweep", "RUNNING")],
            0, BatchState.RUNNING, 3, "3 of 4 simulated",
        ),
        (
            [step("simulation.sweep", "COMPLETED", 4), step("optimization.rank", "COMPLETED")],
            0, BatchState.COMPLETED, 4, "",
        ),
        (
            [step("simulation.sweep", "COMPLETED", 3), step("optimization.rank", "COMPLETED")],
            1, BatchState.PARTIAL, 3, "1 of 4 failed",
        ),
        ([step("optimization.sweep", "FAILED", 1, "no disk")], 0, BatchState.FAILED, 0, "no disk"),
    ],
)  # fmt: skip
def test_what_the_jobs_of_a_batch_add_up_to(steps, failed, state, done, note):
    standing = standing_of(record(failed), steps)
    assert (standing.state, standing.done, standing.note) == (state, done, note)
