"""The placebo: same holding times, no overlap, its own session; and that it tells skill from luck."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.backtests import Costs, Fill, Setting, Signal
from shared.contracts.sessions import sessions_between
from simulation_service.domain import placebo as placebos
from simulation_service.domain.market import market_of
from simulation_service.domain.placebo import Trades, placebo
from simulation_service.domain.stress import doubled, variants


def market(seed: int = 0, days: int = 20):
    start = 1_709_510_400_000_000  # 2024-03-04
    ts = sessions_between(start, start + days * 86_400_000_000).expected_minutes()
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 5e-4, len(ts))))
    opens = np.concatenate([[100.0], close[:-1]])
    prices = {"open": opens, "high": np.maximum(opens, close), "low": np.minimum(opens, close), "close": close}
    return market_of(ts_us=ts, prediction=np.zeros(len(ts)), fillable=np.ones(len(ts), dtype=bool), **prices)


def trades_at(found, entry, held, cost=0.0):
    entry = np.asarray(entry)
    leave = entry + held
    earned = found.open[leave] / found.open[entry] - 1 - cost
    side = np.ones(len(entry), dtype=np.int64)
    return Trades(
        entry=entry, exit=leave, side=side, at_close=np.zeros(len(entry), dtype=bool),
        costs=np.full(len(entry), cost), earned=earned,
    )  # fmt: skip


def test_trades_that_knew_are_above_all_draws_and_random_ones_are_not():
    found = market()
    rows = np.arange(0, found.bars - 60, 40)
    rows = rows[found.minute[rows] < 330]
    gain = found.open[rows + 20] / found.open[rows] - 1
    best = rows[np.argsort(-gain)[: len(rows) // 4]]
    knew = placebo(found, trades_at(found, np.sort(best), 20), fill=Fill.OPEN, overnight=False, draws=500, seed=1)
    assert knew.percentile == 100.0
    assert knew.p_value == pytest.approx(1 / 501)
    rng = np.random.default_rng(5)
    percentiles = []
    for _ in range(40):
        some = np.sort(rng.choice(rows, 30, replace=False))
        drawn = placebo(found, trades_at(found, some, 20), fill=Fill.OPEN, overnight=False, draws=200, seed=2)
        percentiles.append(drawn.percentile)
    assert 35 < np.mean(percentiles) < 65
    assert np.mean(np.array(percentiles) > 95) < 0.15


def test_the_same_seed_draws_the_same_and_costs_are_carried_along():
    found = market()
    rows = np.arange(5, 385, 40)
    free = placebo(found, trades_at(found, rows, 10), fill=Fill.OPEN, overnight=False, draws=50, seed=3)
    again = placebo(found, trades_at(found, rows, 10), fill=Fill.OPEN, overnight=False, draws=50, seed=3)
    other = placebo(found, trades_at(found, rows, 10), fill=Fill.OPEN, overnight=False, draws=50, seed=4)
    np.testing.assert_array_equal(free.drawn, again.drawn)
    assert not np.array_equal(free.drawn, other.drawn)
    dear = placebo(found, trades_at(found, rows, 10, cost=0.001), fill=Fill.OPEN, overnight=False, draws=50, seed=3)
    assert (dear.drawn < free.drawn).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(0, 10_000), st.booleans())
def test_every_schedule_finds_a_session_of_its_own_with_room(taken, seed, uneven):
    rng = np.random.default_rng(seed)
    taken = np.array(taken)
    # each schedule's own session has room for it; some more sessions of any size
    own = taken + (rng.integers(0, 30, len(taken)) if uneven else 40)
    room = np.concatenate([own, rng.integers(1, 80, 3) if uneven else np.full(3, 100)])
    at = placebos._sessions_with_room(np.random.default_rng(seed), taken, room, 30)
    assert (room[at] >= taken).all()
    assert all(len(set(row)) == len(taken) for row in at.tolist())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_draws_keep_holding_times(seed, overnight):
    """Seen through prices that name their own bar: a return of exp(held x step) betrays the bars held."""
    found = market(days=6)
    object.__setattr__(found, "open", np.exp(1e-5 * np.arange(found.bars)))
    rng = np.random.default_rng(seed)
    entry = np.sort(rng.choice(np.arange(0, 1500, 30), 12, replace=False))
    held = rng.integers(1, 25, 12)
    keep = found.minute[entry] + held < 390
    entry, held = entry[keep], held[keep]
    if not len(entry):
        return
    drawn = placebo(found, trades_at(found, entry, held), fill=Fill.OPEN, overnight=overnight, draws=20, seed=seed)
    np.testing.assert_allclose(np.log1p(drawn.drawn), 1e-5 * held.sum(), rtol=1e-9)


def test_variants_are_what_their_names_say_and_leave_out_what_means_nothing():
    names = [variant.name for variant in variants(Setting(threshold=0.001))]
    assert names[:3] == ["as it is", "1 bar later", "2 bars later"]
    assert names[-2:] == ["threshold −10 %", "threshold +10 %"]
    assert len(names) == 8
    assert len(variants(Setting(threshold=0.0))) == 6
    assert len(variants(Setting(threshold=0.001, delay_bars=58))) == 5
    likely = variants(Setting(threshold=0.6, signal=Signal.PROBABILITY))
    assert [round(variant.setting.threshold, 6) for variant in likely[-2:]] == [0.59, 0.61]
    twice = doubled(Costs(fee_bps=1.0, participation=0.1))
    assert (twice.fee_per_fill, twice.half_spread_bps, twice.fee_bps, twice.participation) == (0.04, 1.0, 2.0, 0.1)
