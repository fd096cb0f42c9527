"""The bot: what it learns from, that it learns, and that the future changes nothing it said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.contracts.backtests import Signal
from simulation_service.domain import bot
from simulation_service.domain.bot import BotSpec, Said, probabilities, sides

SPEC = BotSpec(horizon_bars=10, trees=20)
DAY_US = 86_400_000_000


def said_by(seed: int, *, days: int = 24, blocks: int = 4, knows_when_calm: bool = True) -> Said:
    """A base model that is right only where its prediction is large, on sessions of 120 minutes."""
    rng = np.random.default_rng(seed)
    minutes = 120
    bars = days * minutes
    moves = rng.normal(0, 1e-3, bars)
    close = 100 * np.exp(np.cumsum(moves))
    session = np.repeat(np.arange(days), minutes)
    ahead = np.concatenate([close[SPEC.horizon_bars :] / close[: -SPEC.horizon_bars] - 1, np.zeros(SPEC.horizon_bars)])
    sure = rng.random(bars) < 0.5
    true = np.where(ahead >= 0, 1, -1)
    guess = np.where(rng.random(bars) < 0.5, 1, -1)
    side = np.where(sure & (rng.random(bars) < 0.9), true, guess) if knows_when_calm else guess
    return Said(
        ts_us=(session * DAY_US + np.tile(np.arange(minutes), days) * 60_000_000).astype(np.int64),
        session=session.astype(np.int64),
        minute=np.tile(np.arange(minutes), days).astype(np.int64),
        high=close * 1.0005,
        low=close * 0.9995,
        close=close,
        side=side.astype(np.int64),
        size=np.where(sure, 2e-3, 5e-4),
        block=(session * blocks // days).astype(np.int64),
    )


def test_it_tells_where_the_base_model_is_right():
    said = said_by(1)
    found = probabilities(said, SPEC)
    known = np.isfinite(found)
    assert not known[said.block == 0].any(), "the first block has nothing earlier to learn from"
    assert known[said.block > 0].all()
    sure = known & (said.size > 1e-3)
    unsure = known & (said.size < 1e-3)
    assert found[sure].mean() > 0.7
    assert found[unsure].mean() < 0.6


def test_where_there_is_nothing_to_learn_it_says_about_one_half():
    found = probabilities(said_by(2, knows_when_calm=False), SPEC)
    assert np.nanmean(found) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("cut_day", [7, 12, 20])
def test_the_future_changes_nothing_it_said(cut_day):
    said = said_by(3)
    before = said.session < cut_day
    rng = np.random.default_rng(9)
    changed = replace(
        said,
        close=np.where(before, said.close, said.close * rng.lognormal(0, 0.05, len(before))),
        high=np.where(before, said.high, said.high * 1.3),
        side=np.where(before, said.side, -said.side),
        size=np.where(before, said.size, said.size * rng.random(len(before))),
    )
    first, again = probabilities(said, SPEC), probabilities(changed, SPEC)
    assert np.isfinite(first[before]).any()
    np.testing.assert_array_equal(first[before], again[before])
    assert not np.array_equal(first[~before], again[~before], equal_nan=True)
    # and a history that ends there says the same as the whole one
    short = Said(**{name: getattr(said, name)[before] for name in said.__dataclass_fields__})
    np.testing.assert_array_equal(probabilities(short, SPEC), first[before])


def test_labels_that_end_inside_the_block_are_purged(monkeypatch):
    """Blocks that begin in the middle of a session: the last `horizon` labels before them are not learnt from."""
    said = said_by(4, blocks=4)
    said = replace(said, block=np.searchsorted([1000, 2000], np.arange(len(said.block)), side="right").astype(np.int64))
    learnt = []
    fitted = bot._fitted

    def watch(inputs, right, spec):
        learnt.append(len(right))
        return fitted(inputs, right, spec)

    monkeypatch.setattr(bot, "_fitted", watch)
    probabilities(said, SPEC)
    right, ended = bot._labels(said, SPEC.horizon_bars)
    for count, first in zip(learnt, (1000, 2000), strict=True):
        known = np.flatnonzero(np.isfinite(right[:first]))
        overlapping = known[ended[known] > said.ts_us[first]]
        assert len(overlapping) > 0
        assert count == len(known) - len(overlapping)


def test_another_symbol_is_taught_by_the_one_the_model_was_trained_on():
    teacher, other = said_by(5), said_by(6)
    frozen = replace(other, block=np.full(len(other.block), 9), ts_us=other.ts_us + 100 * DAY_US)
    assert not np.isfinite(probabilities(frozen, SPEC)).any()
    assert np.isfinite(probabilities(frozen, SPEC, teacher)).all()
    early = replace(frozen, ts_us=other.ts_us - 100 * DAY_US)
    assert not np.isfinite(probabilities(early, SPEC, teacher)).any(), "a teacher's later labels teach nothing"


def test_the_same_rows_and_seed_are_the_same_bot_and_its_name_says_so():
    said = said_by(7)
    np.testing.assert_array_equal(probabilities(said, SPEC), probabilities(said, SPEC))
    name = said.fingerprint(SPEC, "1.8")
    assert name == said_by(7).fingerprint(SPEC, "1.8")
    assert len({name, said.fingerprint(replace(SPEC, seed=8), "1.8"), said.fingerprint(SPEC, "1.9")}) == 3
    assert replace(said, close=said.close + 1e-9).fingerprint(SPEC, "1.8") != name


@pytest.mark.parametrize(
    ("signal", "prediction", "side"),
    [
        (Signal.LOG_RETURN, [0.1, -0.1, 0.0, np.nan], [1, -1, 0, 0]),
        (Signal.PRICE, [101.0, 99.0, 100.0, np.nan], [1, -1, 0, 0]),
        (Signal.PROBABILITY, [0.6, 0.4, 0.5, np.nan], [1, -1, 0, 0]),
        (Signal.POSITION, [1.0, -1.0, 0.0, np.nan], [1, -1, 0, 0]),
    ],
)
def test_which_way_a_prediction_points(signal, prediction, side):
    found, size = sides(signal, np.array(prediction), np.full(4, 100.0))
    assert found.tolist() == side
    assert (size[:3] >= 0).all()
