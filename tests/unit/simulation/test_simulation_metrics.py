"""Figures of one run against published numbers and hand arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shared.contracts.backtests import Metrics
from simulation_service.domain import columns as c
from simulation_service.domain.metrics import Account, daily_returns, metrics_of, t_statistics, tally_of_returns

TEN_TRADES = [1, -1, 2, -0.5, 1.5, -1, 3, -1, 0.5, 1]


def figures(trade_returns: list[float], days: list[float] | None = None, drawdown: float = 0.0) -> Metrics:
    """Return the figures of an account of 100 that earned `days` and traded `trade_returns`."""
    returns = np.array([days or [0.0, 0.0]])
    tally = tally_of_returns(trade_returns)
    tally[c.FINAL], tally[c.DRAWDOWN] = 100.0 * float(np.prod(1 + returns)), drawdown
    account = Account(bars=10, starting_cash=100.0, buy_hold_return=0.02)
    return metrics_of(tally[None, :], returns, returns, account)[0]


def test_sqn_and_profit_factor_of_ten_trades():
    found = figures(TEN_TRADES)
    assert found.sqn == pytest.approx(1.2393410, abs=1e-7)
    assert found.sqn100 == found.sqn
    assert found.profit_factor == pytest.approx(2.5714286, abs=1e-7)
    assert found.expectancy == pytest.approx(0.55)


def test_sqn_of_four_hundred_trades_is_capped_at_a_hundred():
    found = figures(TEN_TRADES * 40)
    assert found.sqn == pytest.approx(8.2519391, abs=1e-7)
    assert found.sqn100 == pytest.approx(4.1259696, abs=1e-7)
    assert found.profit_factor == pytest.approx(2.5714286, abs=1e-7)


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01, 0.01]])
def test_no_spread_has_no_sqn(returns):
    found = figures(returns)
    assert (found.sqn, found.sqn100, found.profit_factor) == (None, None, None)


def test_without_trades_nothing_is_made_up():
    found = figures([])
    undefined = ("win_rate", "hit_rate", "expectancy", "average_trade", "sharpe", "sortino", "calmar", "timing_alpha_t")
    assert all(getattr(found, name) is None for name in undefined)
    assert (found.trades, found.longest_losing_run, found.drawdown_days, found.turnover) == (0, 0, 0, 0.0)


def test_only_losses_have_profit_factor_zero():
    assert figures([-0.01, -0.02]).profit_factor == 0.0


def test_daily_figures_by_hand():
    days = [0.02, -0.01, -0.01, 0.03, 0.0]
    found = figures([0.01, -0.01], days, drawdown=-0.0199)
    mean = 0.03 / 5
    assert found.sharpe == pytest.approx(mean / math.sqrt(sum((d - mean) ** 2 for d in days) / 4) * math.sqrt(252))
    assert found.sortino == pytest.approx(mean / math.sqrt(2e-4 / 5) * math.sqrt(252))
    total = 1.02 * 0.99 * 0.99 * 1.03 - 1
    assert found.total_return == pytest.approx(total)
    assert found.excess_return == pytest.approx(total - 0.02)
    assert found.annual_return == pytest.approx((1 + total) ** (252 / 5) - 1)
    assert found.calmar == pytest.approx(((1 + total) ** (252 / 5) - 1) / 0.0199)
    assert found.drawdown_days == 2


def test_a_run_that_never_recovers_is_under_water_to_the_end():
    assert figures([], [-0.1, 0.05, 0.02, 0.01]).drawdown_days == 4


def test_daily_returns_start_from_the_starting_cash_and_stop_at_ruin():
    equity = np.array([[110.0, 99.0, 0.0, 5.0]])
    assert daily_returns(equity, 100.0)[0].tolist() == pytest.approx([0.1, -0.1, -1.0, 0.0])


def test_t_statistic_by_hand():
    assert t_statistics(np.array([[1.0, 2.0, 3.0, 4.0]]))[0] == pytest.approx(2.5 / math.sqrt(5 / 3) * 2)
    assert np.isnan(t_statistics(np.array([[0.3, 0.3]]))[0])
    assert np.isnan(t_statistics(np.array([[0.3]]))[0])
