"""Figures of one run against published numbers and hand arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulation_service.domain.metrics import daily_returns, t_statistic, trade_statistics

TEN_TRADES = [1, -1, 2, -0.5, 1.5, -1, 3, -1, 0.5, 1]


def test_sqn_and_profit_factor_of_ten_trades():
    sqn, sqn100, profit_factor = trade_statistics(TEN_TRADES)
    assert sqn == pytest.approx(1.2393410, abs=1e-7)
    assert sqn100 == sqn
    assert profit_factor == pytest.approx(2.5714286, abs=1e-7)


def test_sqn_of_four_hundred_trades_is_capped_at_a_hundred():
    sqn, sqn100, profit_factor = trade_statistics(TEN_TRADES * 40)
    assert sqn == pytest.approx(8.2519391, abs=1e-7)
    assert sqn100 == pytest.approx(4.1259696, abs=1e-7)
    assert profit_factor == pytest.approx(2.5714286, abs=1e-7)


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01, 0.01]])
def test_no_spread_has_no_sqn(returns):
    assert trade_statistics(returns) == (None, None, None)


def test_only_losses_have_profit_factor_zero():
    assert trade_statistics([-0.01, -0.02])[2] == 0.0


def test_daily_returns_start_from_the_starting_cash_and_stop_at_ruin():
    equity = np.array([[110.0, 99.0, 0.0, 5.0]])
    assert daily_returns(equity, 100.0)[0].tolist() == pytest.approx([0.1, -0.1, -1.0, 0.0])


def test_t_statistic_by_hand():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert t_statistic(values) == pytest.approx(2.5 / math.sqrt(5 / 3) * 2)
    assert t_statistic(np.array([0.3, 0.3])) is None
    assert t_statistic(np.array([0.3])) is None
