"""Gate, accounts of looks, positions and the verdict."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from test_orchestrator_windows import history

from orchestrator_service.domain.gate import Row, gate
from orchestrator_service.domain.holdout import NEW_SESSIONS, account_for, new_vintage
from orchestrator_service.domain.plan import Rules
from orchestrator_service.domain.positions import Trade, minute_returns, positions
from orchestrator_service.domain.verdict import decide
from orchestrator_service.domain.windows import split_sessions
from shared.contracts.messages import Costs, Fill

RULES = Rules(draws=300)


def rows(count: int, trades: int = 300) -> list[Row]:
    return [Row(model=f"m{index}", slot=index, setting=0, trades=trades) for index in range(count)]


def planted(seed: int, t: float) -> np.ndarray:
    ledger = np.random.default_rng(seed).normal(size=(100, 250))
    ledger[7] += t / math.sqrt(250) - ledger[7].mean()
    return ledger


# gate -----------------------------------------------------------------------------------------------------------------


def test_a_strong_trial_passes_and_is_nominated_first_with_others_that_differ():
    evidence, members = gate(rows(100), planted(1, 6.0), 4, RULES, np.random.default_rng(0))
    assert evidence.passed
    assert (evidence.trials, evidence.failed, evidence.live) == (104, 4, 100)
    assert evidence.best is not None
    assert (evidence.best.slot, evidence.best.p_select_fwer < 0.01) == (7, True)
    assert evidence.best.sharpe > evidence.best.luck_sharpe
    assert evidence.best.luck_sharpe == pytest.approx(2.5 * math.sqrt(252 / 250), abs=0.15)
    assert 50 < evidence.best.n_eff_implied < 200
    assert [members[0].slot, len(members)] == [7, 10]
    assert sum(member.weight for member in members) == pytest.approx(1)
    assert [member.select_t for member in members] == sorted((m.select_t for m in members), reverse=True)
    assert sum(evidence.best.null_max_t.counts) == 300
    assert sum(evidence.best.trial_t.counts) == 100


def test_too_few_trades_make_the_strongest_trial_ineligible_but_it_still_counts():
    some = [Row(model=row.model, slot=row.slot, setting=0, trades=199 if row.slot == 7 else 300) for row in rows(100)]
    evidence, members = gate(some, planted(1, 6.0), 0, RULES, np.random.default_rng(0))
    assert evidence.best is not None
    assert evidence.best.slot != 7
    assert not evidence.passed
    assert members == []
    assert "exceeds 0.2" in evidence.reason


def test_trials_that_failed_count_in_what_luck_would_have_shown():
    few, many = (
        gate(rows(100), planted(1, 6.0), failed, RULES, np.random.default_rng(0))[0].best for failed in (0, 900)
    )
    assert few is not None
    assert many is not None
    # E[max] of 100 and of 1,000 normal draws: 2.5306 and 3.2551
    assert many.expected_max_sharpe / few.expected_max_sharpe == pytest.approx(3.2551 / 2.5306, rel=1e-4)
    assert many.dsr < few.dsr


def test_a_ledger_without_candidates_says_why():
    none, _ = gate([], np.zeros((0, 2)), 3, RULES, np.random.default_rng(0))
    assert (none.passed, none.trials, none.reason) == (False, 3, "no trial ever traded on SELECT")
    still, _ = gate(rows(3), np.zeros((3, 50)), 0, RULES, np.random.default_rng(0))
    assert still.reason == "no trial ever traded on SELECT"
    few, _ = gate(rows(5, trades=40), planted(2, 3)[:5], 0, RULES, np.random.default_rng(0))
    assert few.reason == "no trial has 200 trades on SELECT: the busiest made 40"
    losing, _ = gate(rows(5), -abs(planted(3, 3)[:5]), 0, RULES, np.random.default_rng(0))
    assert losing.reason == "no trial with 200 or more trades earned anything by timing on SELECT"


def test_the_gate_repeats_itself_with_the_same_seed():
    one = gate(rows(100), planted(4, 3.0), 0, RULES, np.random.default_rng([7, 1]))
    two = gate(rows(100), planted(4, 3.0), 0, RULES, np.random.default_rng([7, 1]))
    assert one == two


# looks ----------------------------------------------------------------------------------------------------------------


def vintage(first: int, symbol: str = "SPY", costs: Costs | None = None, data: str = "d", count=750, confirm=250):
    window = split_sessions(history(count, first), 250, confirm).confirm.window
    return new_vintage(symbol, window, data, costs or Costs(), 0.05, 10)


def test_sliding_dates_other_costs_and_corrected_bars_stay_on_one_account():
    opened = vintage(4_000)
    assert opened.level == pytest.approx(0.005)
    for other in (
        vintage(4_000), vintage(4_001), vintage(3_990), vintage(4_000 + NEW_SESSIONS - 1),
        vintage(4_000, costs=Costs(half_spread_bps=9)), vintage(4_000, data="corrected"),
    ):  # fmt: skip
        assert account_for(other, [opened]) == opened


def test_days_that_are_not_new_open_no_account_however_they_are_cut():
    opened = vintage(4_000)
    # begins with the sealed days and ends earlier; lies further back; lies wholly before; a short tail of new days
    for other in (
        vintage(4_000, count=690, confirm=190), vintage(4_000 - NEW_SESSIONS), vintage(3_400),
        vintage(4_000, count=775, confirm=20),
    ):  # fmt: skip
        assert account_for(other, [opened]) == opened


def test_sixty_new_sessions_or_another_symbol_open_an_account():
    opened = vintage(4_000)
    for other in (vintage(4_000 + NEW_SESSIONS), vintage(4_000, "QQQ"), vintage(4_300)):
        assert account_for(other, [opened]) == other
    newer = vintage(4_000 + NEW_SESSIONS)
    assert account_for(vintage(4_030), [opened, newer]) == newer
    assert account_for(opened, []) == opened


# positions ------------------------------------------------------------------------------------------------------------


def at(sessions, day: int, minute: int) -> datetime:
    return datetime.fromtimestamp(sessions.open_us[day] / 1e6, UTC) + timedelta(minutes=minute)


def test_positions_times_returns_is_what_the_trades_earned():
    sessions = history(3)
    rng = np.random.default_rng(5)
    stamps = (sessions.open_us[:, None] + np.arange(390) * 60_000_000).ravel()
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, len(stamps) + 1)))
    opens, closes = prices[:-1], prices[1:]
    returns = minute_returns(sessions, stamps, opens, closes)
    trades = [
        Trade(at(sessions, 0, 10), at(sessions, 0, 40), 1, left_at_close=False),
        Trade(at(sessions, 2, 350), at(sessions, 2, 389), -1, left_at_close=True),
    ]
    held = positions(sessions, trades, Fill.OPEN)
    assert np.unique(held).tolist() == [-1, 0, 1]
    assert (held[0].sum(), held[1].sum(), held[2].sum()) == (30, 0, -40)
    earned = np.log1p(np.abs(held) * returns).sum(axis=1) * np.array([1, 1, -1])
    by_trade = [math.log(opens[40] / opens[10]), 0.0, -math.log(closes[-1] / opens[2 * 390 + 350])]
    assert earned == pytest.approx(by_trade, abs=1e-12)
    assert positions(sessions, trades, Fill.MIDPOINT).sum() == pytest.approx(30 - 39.5)
    assert positions(sessions, [], Fill.OPEN).shape == (3, 390)


def test_missing_minutes_earn_nothing_and_strangers_are_ignored():
    sessions = history(1)
    base = int(sessions.open_us[0])
    stamps = base + np.array([-5, 0, 3, 7]) * 60_000_000
    returns = minute_returns(sessions, stamps, np.array([9.0, 10, 11, 12]), np.array([9.0, 10, 11, 15]))
    assert returns[0, [0, 3, 7]] == pytest.approx([0.1, 1 / 11, 0.25])
    assert np.count_nonzero(returns) == 3


# verdict --------------------------------------------------------------------------------------------------------------


def judge(alphas: np.ndarray, products: np.ndarray, level: float = 0.005):
    weights = np.full(len(alphas), 1 / len(alphas)).tolist()
    return decide(alphas, alphas, weights, products, level=level, draws=999, rng=np.random.default_rng(1))


def skilled(days: int = 250) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    returns = rng.normal(0, 1, (days, 30))
    held = ((returns + rng.normal(0, 6, returns.shape)) > 0).astype(float)
    alpha = ((held - 0.5) * returns).sum(axis=1)
    return np.vstack([alpha, alpha + rng.normal(0, 0.1, days), rng.normal(0, 1, days)]), held @ returns.T


def test_members_are_tested_in_order_and_the_first_failure_ends_it():
    alphas, products = skilled()
    verdict = judge(alphas[[0, 2, 1]], products)
    assert verdict.blend.passed
    assert [member.passed for member in verdict.members] == [True, False]
    assert verdict.promoted == 1
    assert verdict.blend.p == max(verdict.blend.p_hac, verdict.blend.p_permutation)
    assert verdict.blend.sharpe_low < verdict.blend.sharpe < verdict.blend.sharpe_high
    assert 3.2 < verdict.smallest_confirmable_sharpe < 3.6


def test_both_tests_must_agree():
    """Good alpha whose positions do no better on their own days than on others: drift, not timing."""
    alphas, _ = skilled()
    verdict = judge(alphas, np.ones((250, 250)))
    assert verdict.blend.p_hac < 0.005
    assert verdict.blend.p_permutation == 1.0
    assert not verdict.blend.passed
    assert verdict.members == ()


def test_members_that_never_trade_are_no_promotion():
    alphas, products = skilled()
    verdict = judge(np.vstack([alphas[0], np.zeros(250)]), products)
    assert verdict.blend.passed
    assert [member.passed for member in verdict.members] == [True, False]
    assert verdict.members[1].sharpe is None


def test_rules_that_promise_less_than_the_measured_ones_are_named_and_stricter_ones_are_not():
    assert Rules().loosened() == ()
    assert Rules(alpha=0.01, min_trades=500, min_confirm_sessions=250, gate_level=0.1).loosened() == ()
    assert Rules(looks=1).loosened() == (), "one look at all of the vintage's error, instead of ten at a tenth"
    loose = Rules(alpha=0.1, min_trades=50, min_confirm_sessions=20)
    assert loose.loosened() == (
        "alpha 0.1 instead of 0.05", "min_trades 50 instead of 200", "min_confirm_sessions 20 instead of 125",
    )  # fmt: skip
