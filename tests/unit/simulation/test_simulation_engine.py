"""The compiled engine against the plain reference, and the laws every run obeys, on markets drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_markets import CASH, COSTS, SAYS, daily_market_from, daily_markets, market_from, markets, rules
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation_reference import simulate

from shared.contracts.backtests import Costs, Setting, Signal
from simulation_service.domain import columns as c
from simulation_service.domain import engine
from simulation_service.domain.audit import metrics_from
from simulation_service.domain.market import SLOTS

REASONS = {
    "signal": c.BY_SIGNAL,
    "time": c.BY_TIME,
    "regime": c.BY_REGIME,
    "close": c.BY_CLOSE,
    "stop": c.BY_STOP,
    "profit": c.BY_PROFIT,
    "bust": c.BY_BUST,
}
SIGNALS = st.sampled_from(list(Signal))


def check_against_reference(market, sessions, rule, costs, cash):
    trades, equity = simulate(sessions, rule, costs, cash, day_orders=market.day_orders)
    found = engine.detail(market, rule, engine.Terms(costs=costs, starting_cash=cash))
    assert len(found.trades) == len(trades)
    for row, trade in zip(found.trades, trades, strict=True):
        assert row[: c.REASON].tolist() == pytest.approx(trade[:-1], abs=1e-9)
        assert row[c.REASON] == REASONS[trade[-1]]
    assert found.equity.tolist() == pytest.approx(equity, rel=1e-12)
    assert found.metrics.costs_paid == pytest.approx(sum(trade[6] for trade in trades))


def check_drawn_market(data, signal, costs, cash, carried_over):
    sessions, rule = data.draw(markets(signal)), data.draw(rules(signal))
    check_against_reference(market_from(sessions, day_orders=carried_over > 0), sessions, rule, costs, cash)


@settings(max_examples=400, deadline=None)
@given(st.data(), SIGNALS, COSTS, CASH, st.integers(0, 5))
def test_trades_and_equity_equal_the_plain_reference(data, signal, costs, cash, carried_over):
    check_drawn_market(data, signal, costs, cash, carried_over)


@pytest.mark.slow
@settings(max_examples=1_500, deadline=None)
@given(st.data(), SIGNALS, COSTS, CASH, st.integers(0, 5))
def test_many_more_trades_and_equities_equal_the_plain_reference(data, signal, costs, cash, carried_over):
    check_drawn_market(data, signal, costs, cash, carried_over)


@settings(max_examples=300, deadline=None)
@given(st.data(), SIGNALS, COSTS, CASH)
def test_daily_bars_equal_the_plain_reference(data, signal, costs, cash):
    sessions, rule = data.draw(daily_markets(signal)), data.draw(rules(signal, daily=True))
    check_against_reference(daily_market_from(sessions), sessions, rule, costs, cash)


def check_drawn_sweep(data, signal, costs, cash, frozen, carried):
    grid = data.draw(st.lists(rules(signal), min_size=1, max_size=6))
    market = market_from(data.draw(markets(signal)), day_orders=carried > 0)
    terms = engine.Terms(costs=costs, starting_cash=cash)
    baseline = np.linspace(-1, 1, len(grid) * SLOTS).reshape(len(grid), SLOTS) if frozen else None
    swept = engine.sweep(market, grid, terms, baseline=baseline)
    for index, rule in enumerate(grid):
        own = baseline[index : index + 1] if baseline is not None else None
        found = engine.detail(market, rule, terms, baseline=own)
        assert found.metrics == swept.metrics[index]
        assert metrics_from(market, rule, terms, found, baseline=own) == swept.metrics[index]
        assert np.array_equal(found.timing_alpha, swept.timing_alpha[index])


@settings(max_examples=150, deadline=None)
@given(st.data(), SIGNALS, COSTS, CASH, st.booleans(), st.integers(0, 5))
def test_a_sweep_its_detail_and_its_second_books_agree_to_the_last_bit(data, signal, costs, cash, frozen, carried):
    check_drawn_sweep(data, signal, costs, cash, frozen, carried)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.data(), SIGNALS, COSTS, CASH, st.booleans(), st.integers(0, 5))
def test_many_more_sweeps_their_details_and_second_books_agree(data, signal, costs, cash, frozen, carried):
    check_drawn_sweep(data, signal, costs, cash, frozen, carried)


@settings(max_examples=250, deadline=None)
@given(st.data(), SIGNALS, COSTS, CASH)
def test_the_books_balance(data, signal, costs, cash):
    sessions, rule = data.draw(markets(signal)), data.draw(rules(signal))
    market = market_from(sessions)
    found = engine.detail(market, rule, engine.Terms(costs=costs, starting_cash=cash))
    assert found.equity.tolist() == pytest.approx((found.cash + found.shares * market.close).tolist())
    assert found.shares[-1] == 0, "the window's end leaves nothing open"
    assert found.equity[-1] == pytest.approx(cash + found.trades[:, c.PNL].sum(), abs=1e-7)
    if rule.side == "long_flat":
        assert (found.cash >= -1e-9).all(), "nothing is borrowed to buy"
        assert (found.equity >= 0).all(), "nor lost beyond what there was, not even by rounding"
    gross = found.trades[:, c.DIRECTION] * found.trades[:, c.SHARES]
    gross = gross * (found.trades[:, c.EXIT_PRICE] - found.trades[:, c.ENTRY_PRICE])
    assert found.metrics.costs_paid == pytest.approx(gross.sum() - found.trades[:, c.PNL].sum(), abs=1e-7)
    entries, exits = found.trades[:, c.ENTRY].astype(int), found.trades[:, c.EXIT].astype(int)
    assert (entries[1:] >= exits[:-1]).all(), "trades never overlap"
    assert market.fillable[entries].all(), "nothing fills where nothing traded"
    assert market.fillable[exits].all()
    low, high = market.low - 1e-9, market.high + 1e-9
    for rows, prices in ((entries, c.ENTRY_PRICE), (exits, c.EXIT_PRICE)):
        assert ((found.trades[:, prices] >= low[rows]) & (found.trades[:, prices] <= high[rows])).all()


@settings(max_examples=200, deadline=None)
@given(st.data(), markets(), rules(Signal.LOG_RETURN), COSTS)
def test_the_future_never_changes_the_past(data, sessions, rule, costs):
    cut = data.draw(st.integers(0, len(sessions[-1]["bars"]) - 1))
    changed = [*sessions[:-1], {**sessions[-1], "bars": list(sessions[-1]["bars"])}]
    for i in range(cut, len(changed[-1]["bars"])):
        bar = changed[-1]["bars"][i]
        changed[-1]["bars"][i] = {
            **bar,
            "prediction": data.draw(st.sampled_from(SAYS[Signal.LOG_RETURN])),
            "close": bar["low"],
            "open": bar["high"],
        }
    terms = engine.Terms(costs=costs, starting_cash=1_000.0)
    before = sum(len(session["bars"]) for session in sessions[:-1]) + cut
    one = engine.detail(market_from(sessions), rule, terms).equity[:before]
    other = engine.detail(market_from(changed), rule, terms).equity[:before]
    assert np.array_equal(one, other)


@settings(max_examples=150, deadline=None)
@given(markets(wild=False), rules(Signal.LOG_RETURN, plain=True))
def test_higher_costs_never_help_the_same_trades(sessions, rule):
    market = market_from(sessions)
    free, dear = Costs(fee_per_fill=0, half_spread_bps=0), Costs(fee_per_share=0.005, half_spread_bps=20)
    cheap = engine.detail(market, rule, engine.Terms(costs=free, starting_cash=1e5))
    costly = engine.detail(market, rule, engine.Terms(costs=dear, starting_cash=1e5))
    for gained, paid in zip(cheap.trades, costly.trades, strict=True):
        assert (gained[c.ENTRY], gained[c.EXIT]) == (paid[c.ENTRY], paid[c.EXIT])
        assert paid[c.RETURN] <= gained[c.RETURN] + 1e-12


def test_threads_change_nothing():
    rng = np.random.default_rng(5)
    days = [
        {
            "bars": [
                {
                    "minute": minute,
                    "open": first,
                    "high": first + 0.2,
                    "low": first - 0.2,
                    "close": last,
                    "prediction": said,
                    "real": True,
                    "volume": 1e4,
                    "regime": 0,
                    "bot": 0.6,
                }
                for minute, (first, last, said) in enumerate(rng.normal((20, 20, 0), (0.1, 0.1, 1e-3), (390, 3)))
            ],
            "last_minute": 389,
            "date": day,
        }
        for day in range(3)
    ]
    grid = [Setting(threshold=t / 1e4, hold_bars=h) for t in range(20) for h in range(10)]
    market, terms = market_from(days), engine.Terms(costs=Costs(), starting_cash=1e5)
    one, two = (engine.sweep(market, grid, terms, threads=threads) for threads in (1, 2))
    assert one.metrics == two.metrics
    assert np.array_equal(one.timing_alpha, two.timing_alpha)
