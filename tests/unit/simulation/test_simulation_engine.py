"""The compiled engine against the plain reference, and the laws every run obeys, on markets drawn at random."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation_reference import simulate

from shared.contracts.messages import Costs, Fill, Setting
from shared.contracts.sessions import MINUTE_US, Sessions
from simulation_service.domain import columns as c
from simulation_service.domain import engine
from simulation_service.domain.audit import metrics_from
from simulation_service.domain.market import SLOTS, market_of

MINUTES = 12  # of a drawn session: short, so that the open and the close meet everything in between
#: five-cent ticks around 20, so equal closes and equal signals happen
PRICE = st.integers(380, 420).map(lambda tick: tick / 20)
PREDICTION = st.sampled_from([math.nan, -0.002, -0.001, -0.0005, 0.0, 0.0005, 0.001, 0.002])


@st.composite
def markets(draw):
    """Sessions with missing minutes and filled bars."""
    sessions = []
    for _ in range(draw(st.integers(1, 4))):
        minutes = sorted(draw(st.sets(st.integers(0, MINUTES - 1), min_size=1, max_size=MINUTES)))
        # now and then a hole longer than a stale order may wait
        stretch = draw(st.sampled_from([1, 1, 1, 9]))
        bars = []
        for minute in minutes:
            first, last, up, down = draw(st.tuples(PRICE, PRICE, st.integers(0, 3), st.integers(0, 3)))
            bars.append(
                {
                    "minute": minute * stretch,
                    "open": first,
                    "high": max(first, last) + up / 20,
                    "low": min(first, last) - down / 20,
                    "close": last,
                    "prediction": draw(PREDICTION),
                    "real": draw(st.integers(0, 9)) > 0,
                }
            )
        sessions.append({"bars": bars, "last_minute": MINUTES * stretch - 1})
    return sessions


RULES = st.builds(
    Setting,
    threshold=st.sampled_from([0.0, 0.0005, 0.001]),
    side=st.sampled_from(["long_flat", "long_short"]),
    hold_bars=st.integers(0, 5),
    delay_bars=st.integers(1, 4),
    fill=st.sampled_from(list(Fill)),
    flat_at_close=st.booleans(),
)
COSTS = st.builds(
    Costs,
    fee_per_fill=st.sampled_from([0.0, 0.02, 1.0]),
    fee_per_share=st.sampled_from([0.0, 0.005]),
    half_spread_bps=st.sampled_from([0.0, 0.5, 20.0]),
)
CASH = st.sampled_from([25.0, 1_000.0, 100_000.0])


def market_from(sessions):
    """Build the engine's arrays from the reference's dicts."""
    opens = np.array([day * 86_400_000_000 for day in range(len(sessions))], dtype=np.int64)
    calendar = Sessions(
        date=np.datetime64("1970-01-01") + np.arange(len(sessions)),
        open_us=opens,
        close_us=opens + np.array([s["last_minute"] + 1 for s in sessions]) * MINUTE_US,
    )
    bars = [(day, bar) for day, session in enumerate(sessions) for bar in session["bars"]]

    def column(name):
        return np.array([bar[name] for _, bar in bars])

    return market_of(
        ts_us=np.array([opens[day] + bar["minute"] * MINUTE_US for day, bar in bars], dtype=np.int64),
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        prediction=column("prediction"),
        fillable=column("real").astype(bool),
        sessions=calendar,
    )


@settings(max_examples=400, deadline=None)
@given(markets(), RULES, COSTS, CASH)
def test_trades_and_equity_equal_the_plain_reference(sessions, rule, costs, cash):
    trades, equity = simulate(sessions, rule, costs, cash)
    found = engine.detail(market_from(sessions), rule, engine.Terms(costs=costs, starting_cash=cash))
    assert len(found.trades) == len(trades)
    for row, trade in zip(found.trades, trades, strict=True):
        assert row[: c.PNL + 1].tolist() == pytest.approx(list(trade.values()), abs=1e-9)
    assert found.equity.tolist() == pytest.approx(equity, rel=1e-12)
    assert found.metrics.costs_paid == pytest.approx(sum(trade["costs"] for trade in trades))


@settings(max_examples=300, deadline=None)
@given(markets(), st.lists(RULES, min_size=1, max_size=4), COSTS, CASH, st.booleans())
def test_a_sweep_its_detail_and_its_second_books_agree_to_the_last_bit(sessions, rules, costs, cash, frozen):
    market, terms = market_from(sessions), engine.Terms(costs=costs, starting_cash=cash)
    baseline = np.linspace(-1, 1, len(rules) * SLOTS).reshape(len(rules), SLOTS) if frozen else None
    swept = engine.sweep(market, rules, terms, baseline=baseline)
    for index, rule in enumerate(rules):
        own = baseline[index : index + 1] if baseline is not None else None
        found = engine.detail(market, rule, terms, baseline=own)
        assert found.metrics == swept.metrics[index]
        assert metrics_from(market, rule, terms, found, baseline=own) == swept.metrics[index]
        assert np.array_equal(found.timing_alpha, swept.timing_alpha[index])


@settings(max_examples=300, deadline=None)
@given(markets(), RULES, COSTS, CASH)
def test_the_books_balance(sessions, rule, costs, cash):
    market = market_from(sessions)
    found = engine.detail(market, rule, engine.Terms(costs=costs, starting_cash=cash))
    assert found.equity.tolist() == pytest.approx((found.cash + found.shares * market.close).tolist())
    assert found.shares[-1] == 0, "the window's end leaves nothing open"
    assert found.equity[-1] == pytest.approx(cash + found.trades[:, c.PNL].sum(), abs=1e-7)
    if rule.side == "long_flat":
        assert (found.cash >= -1e-9).all(), "all-in never borrows"
    gross = found.trades[:, c.DIRECTION] * found.trades[:, c.SHARES]
    gross = gross * (found.trades[:, c.EXIT_PRICE] - found.trades[:, c.ENTRY_PRICE])
    assert found.metrics.costs_paid == pytest.approx(gross.sum() - found.trades[:, c.PNL].sum(), abs=1e-7)
    entries, exits = found.trades[:, c.ENTRY].astype(int), found.trades[:, c.EXIT].astype(int)
    assert (entries[1:] >= exits[:-1]).all(), "trades never overlap"
    assert market.fillable[entries].all(), "nothing fills where nothing traded"
    assert market.fillable[exits].all()


@settings(max_examples=200, deadline=None)
@given(markets(), RULES, COSTS, st.data())
def test_the_future_never_changes_the_past(sessions, rule, costs, data):
    cut = data.draw(st.integers(0, len(sessions[-1]["bars"]) - 1))
    changed = [*sessions[:-1], {**sessions[-1], "bars": list(sessions[-1]["bars"])}]
    for i in range(cut, len(changed[-1]["bars"])):
        bar = changed[-1]["bars"][i]
        changed[-1]["bars"][i] = {**bar, "prediction": data.draw(PREDICTION), "close": bar["low"], "open": bar["high"]}
    terms = engine.Terms(costs=costs, starting_cash=1_000.0)
    before = sum(len(session["bars"]) for session in sessions[:-1]) + cut
    one = engine.detail(market_from(sessions), rule, terms).equity[:before]
    other = engine.detail(market_from(changed), rule, terms).equity[:before]
    assert np.array_equal(one, other)


@settings(max_examples=150, deadline=None)
@given(markets(), RULES, COSTS)
def test_higher_costs_never_help_the_same_trades(sessions, rule, costs):
    market = market_from(sessions)
    cheap = engine.detail(market, rule, engine.Terms(costs=Costs(fee_per_fill=0, half_spread_bps=0), starting_cash=1e5))
    dear = engine.detail(market, rule, engine.Terms(costs=costs, starting_cash=1e5))
    for free, paid in zip(cheap.trades, dear.trades, strict=True):
        assert (free[c.ENTRY], free[c.EXIT]) == (paid[c.ENTRY], paid[c.EXIT])
        assert paid[c.RETURN] <= free[c.RETURN] + 1e-12


def test_threads_change_nothing():
    rng = np.random.default_rng(5)
    days = [
        {
            "bars": [
                {"minute": m, "open": o, "high": o + 0.2, "low": o - 0.2, "close": c, "prediction": p, "real": True}
                for m, (o, c, p) in enumerate(zip(*rng.normal((20, 20, 0), (0.1, 0.1, 1e-3), (390, 3)).T, strict=True))
            ],
            "last_minute": 389,
        }
        for _ in range(3)
    ]
    grid = [Setting(threshold=t / 1e4, hold_bars=h) for t in range(20) for h in range(10)]
    market, terms = market_from(days), engine.Terms(costs=Costs(), starting_cash=1e5)
    one, two = (engine.sweep(market, grid, terms, threads=threads) for threads in (1, 2))
    assert one.metrics == two.metrics
    assert np.array_equal(one.timing_alpha, two.timing_alpha)
