"""What settings and markets refuse, and the series that follow from prices and predictions, by hand."""

from __future__ import annotations

import dataclasses
import math
import statistics

import numpy as np
import pytest
from drawn_markets import daily_market_from, market_from
from pydantic import ValidationError

from shared.contracts.backtests import Costs, Fill, Setting, Signal
from shared.errors import InvalidInput
from simulation_service.domain import engine
from simulation_service.domain.series import rolling_volatility, true_range_before, volatility_ratio, z_scores
from simulation_service.domain.tables import trades_frame


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"delay_bars": 0, "fill": Fill.OPEN}, "use close"),
        ({"signal": "probability", "threshold": 0.2}, "0.5 up to"),
        ({"signal": "position", "threshold": 0.2}, "use 0"),
        ({"signal": "position", "volatility_scaled": True}, "switch it off"),
        ({"regime": "mood"}, "go together"),
        ({"regime_states": (1,)}, "go together"),
        ({"regime": "mood", "regime_states": (-1,)}, "0 to 127"),
        ({"z_bars": 3}, "at least 20"),
        ({"hold_bars": 3, "time_stop_bars": 5}, "alone decides"),
        ({"min_hold_bars": 6, "time_stop_bars": 5}, "longer than"),
        ({"take_profit": 1.0, "side": "long_short"}, "never be reached"),
        ({"size": 0.5}, "leave it at 1"),
        ({"sizing": "fraction", "size": 2}, "up to 1"),
        ({"sizing": "shares", "size": 2.5}, "whole"),
    ],
)
def test_senseless_combinations_are_refused_in_words(chosen, said):
    with pytest.raises(ValidationError, match=said):
        Setting(**{"threshold": 0.0, **chosen})


@pytest.mark.parametrize("asked", [{"half_spread_bps": 10_000}, {"fee_bps": 6_000, "slippage_bps": 4_000}])
def test_costs_of_the_whole_price_are_refused(asked):
    with pytest.raises(ValidationError, match="less than 10000"):
        Costs(**asked)


def test_filling_at_the_signal_bar_is_labelled_optimistic():
    assert Setting(threshold=0, delay_bars=0, fill=Fill.CLOSE).optimistic
    assert not Setting(threshold=0).optimistic


def two_bars(date: int = 0) -> dict[str, object]:
    prices = {"open": 20.0, "high": 21.0, "low": 19.0, "close": 20.5, "prediction": 1.0, "real": True}
    bar = {**prices, "volume": 10.0, "regime": 1, "bot": 0.6}
    return {"bars": [{**bar, "minute": 0}, {**bar, "minute": 1}], "last_minute": 389, "date": date}


@pytest.mark.parametrize(
    ("without", "setting", "costs", "said"),
    [
        ("volume", {}, {"participation": 0.1}, "volume"),
        ("volume", {}, {"volume_impact": 0.1}, "volume"),
        ("bot_probability", {"bot_threshold": 0.55}, {}, "bot"),
        ("", {"regime": "other", "regime_states": (1,)}, {}, "'other'.*mood"),
    ],
)
def test_a_series_that_the_market_does_not_carry_is_named(without, setting, costs, said):
    market = market_from([two_bars()])
    market = dataclasses.replace(market, **({without: None} if without else {}))
    terms = engine.Terms(costs=Costs(**costs), starting_cash=1e5)
    with pytest.raises(InvalidInput, match=said):
        engine.sweep(market, [Setting(threshold=0, **setting)], terms)


def test_daily_bars_know_no_minutes():
    one = {**two_bars(), "bars": two_bars()["bars"][:1]}
    with pytest.raises(InvalidInput, match="flat_at_close True"):
        engine.sweep(daily_market_from([one]), [Setting(threshold=0)], engine.Terms(costs=Costs(), starting_cash=1e5))


def test_a_regime_beyond_the_states_is_refused():
    session = two_bars()
    session["bars"][0]["regime"] = -2
    with pytest.raises(InvalidInput, match="'mood' has states -2"):
        market_from([session])


def test_z_scores_are_against_what_came_before():
    values = np.random.default_rng(3).normal(5, 2, 80)
    values[[4, 30]] = math.nan
    for window in (0, 20, 33):
        found = z_scores(values, window)
        for t in range(80):
            past = [value for value in values[:t] if not math.isnan(value)][-window:]
            if math.isnan(values[t]) or len(past) < 20:
                assert math.isnan(found[t])
            else:
                by_hand = (values[t] - statistics.fmean(past)) / statistics.stdev(past)
                assert found[t] == pytest.approx(by_hand, rel=1e-9)


def test_z_of_what_never_changed_is_nothing_or_everything():
    found = z_scores(np.array([2.0, *[0.1] * 60, 0.2]), 20)
    assert found[45:61].tolist() == [0.0] * 16
    assert found[61] == math.inf


def test_volatility_and_ranges_by_hand():
    sessions = [two_bars(0), two_bars(1)]
    closes = [20.5, 20.7, 20.1, 20.6]
    for bar, close in zip([bar for session in sessions for bar in session["bars"]], closes, strict=True):
        bar["close"] = close
    market = market_from(sessions)
    inside = [math.log(20.7 / 20.5), math.log(20.6 / 20.1)]
    found = rolling_volatility(market, 2)
    assert np.isnan(found[:3]).all()
    assert found[3] == pytest.approx(statistics.stdev(inside))
    assert volatility_ratio(market, 2)[3] == pytest.approx(1.0)
    # the first has its own range, each other the mean of those before; nothing leaps over the night
    assert true_range_before(market).tolist() == pytest.approx([2.0] * 4)


def test_percent_and_price_are_compared_in_their_own_units():
    sessions = [two_bars()]
    for bar, said in zip(sessions[0]["bars"], (20.9, math.nan), strict=True):
        bar["prediction"] = said
    market, terms = market_from(sessions), engine.Terms(costs=Costs(), starting_cash=1e5)
    price = [Setting(threshold=level, signal=Signal.PRICE) for level in (0.39, 0.41)]
    assert [metrics.trades for metrics in engine.sweep(market, price, terms).metrics] == [1, 0]


def sessions_of(*days):
    """Return sessions whose bars open and close at these prices; the first bar of each says `said`."""
    quiet = {"prediction": 0.0, "real": True, "volume": 1e6, "regime": 0, "bot": 0.6}
    return [
        {
            "bars": [
                {**quiet, "minute": m, "open": price, "high": price, "low": price, "close": price}
                | ({"prediction": said} if m == 0 else {})
                for m, price in enumerate(prices)
            ],
            "last_minute": 389,
            "date": date,
        }
        for date, (said, prices) in enumerate(days)
    ]


def test_a_short_that_loses_more_than_the_account_is_closed_out_and_its_figures_say_so():
    market = market_from(sessions_of((-1.0, [20.0, 20.0, 30.0, 45.0, 10.0]), (1.0, [20.0, 20.0, 25.0])))
    short = Setting(threshold=0.5, side="long_short", hold_bars=99)
    free = engine.Terms(costs=Costs(fee_per_fill=0, half_spread_bps=0), starting_cash=1_000.0)
    found = engine.detail(market, short, free)
    assert found.equity.tolist() == [1_000, 1_000, 500, -250, -250, -250, -250, -250], "50 shares from 20 to 45"
    assert trades_frame(market, found)["left_by"].to_list() == ["bust"], "a debt buys nothing the next day"
    assert (found.metrics.total_return, found.metrics.max_drawdown) == (-1.25, -1.25)
    assert (found.metrics.annual_return, found.metrics.trades) == (None, 1)
    assert engine.sweep(market, [short], free).metrics == (found.metrics,)
    assert engine.sweep(market, [short], free).daily_returns.tolist() == [[-1.25, 0.0]]


def test_a_long_position_never_pays_more_to_leave_than_there_is():
    market = market_from(sessions_of((1.0, [20.0, 20.0, 10.0, 10.0]), (1.0, [20.0, 20.0, 40.0])))
    dear = engine.Terms(costs=Costs(fee_per_fill=0, half_spread_bps=0, fee_per_share=30), starting_cash=1_000.0)
    found = engine.detail(market, Setting(threshold=0.5), dear)
    assert found.metrics.final_equity == 0.0
    assert found.metrics.costs_paid == 20 * 30 + 20 * 10, "20 shares at 20 + 30; then all that they brought in"
    assert found.metrics.total_return == -1


@pytest.mark.parametrize("name", ["hold_bars", "min_hold_bars", "time_stop_bars", "cooldown_bars"])
def test_bars_beyond_any_history_are_forever(name):
    market = market_from(sessions_of((1.0, [20.0, 20.0, 21.0, 22.0])))
    terms = engine.Terms(costs=Costs(), starting_cash=1_000.0)
    usual, ever = (Setting(threshold=0.5, **{name: bars}) for bars in (1_000, 2**63 - 1))
    assert engine.sweep(market, [ever], terms).metrics == engine.sweep(market, [usual], terms).metrics
    assert engine.detail(market, Setting(threshold=0.5, **{name: 10**30}), terms).metrics.trades == 1
