"""Runs that other engines published, reproduced by ours: LEAN, backtesting.py and zipline."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shared.contracts.backtests import Costs, Fill, Setting, Signal
from shared.contracts.sessions import MINUTE_US
from simulation_service.domain import columns as c
from simulation_service.domain import engine
from simulation_service.domain.market import Market, daily_market_of, market_of

REAL = Path(__file__).parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not REAL.is_dir(), reason="real bars lie beside the project, not in it")
FREE = Costs(fee_per_fill=0, half_spread_bps=0)
PEER = "reference/A/backtesting_py"


def wanted_position(close: pl.Series, fast: int, slow: int) -> np.ndarray:
    """Return the position of an average cross: 1 and -1 from each crossing on, NaN before the first.

    On the last bar but one nothing is wanted: the peer closes what is open at the last bar's open.
    """
    above = (close.rolling_mean(fast) - close.rolling_mean(slow)).to_numpy()
    crossed = np.where((above[:-1] < 0) & (above[1:] > 0), 1.0, np.where((above[:-1] > 0) & (above[1:] < 0), -1.0, 0.0))
    wanted = pl.Series(np.concatenate([[0.0], crossed]))
    wanted = wanted.replace(0.0, None).forward_fill().fill_null(math.nan).to_numpy().copy()
    wanted[-2] = 0.0
    return wanted


def goog() -> Market:
    bars = pl.read_parquet(REAL / "bars_1d/A/backtesting_py/GOOG.parquet")
    return daily_market_of(
        session=bars["ts"].dt.date().to_numpy().astype("datetime64[D]"),
        **{name: bars[name].to_numpy() for name in ("open", "high", "low", "close")},
        prediction=wanted_position(bars["close"], 10, 30),
    )


def spy_minutes() -> Market:
    """The peer knows no sessions: its orders outlive the day."""
    bars = pl.read_parquet(REAL / "bars_1m/A/us2024/SPY.parquet")
    return market_of(
        ts_us=bars["ts"].dt.epoch("us").to_numpy(),
        **{name: bars[name].to_numpy() for name in ("open", "high", "low", "close")},
        prediction=wanted_position(bars["close"], 20, 60),
        fillable=np.ones(len(bars), dtype=np.bool_),
        day_orders=False,
    )


CROSS = Setting(threshold=0, signal=Signal.POSITION, side="long_short", flat_at_close=False)


@needs_data
@pytest.mark.parametrize(
    ("market", "run", "cash", "count", "final"),
    [
        (goog, "GOOG_sma10_30", 10_000.0, 66, 51_422.99),
        (spy_minutes, "SPY_1m_2024_sma20_60", 100_000.0, 1_831, 105_302.65),
    ],
)
def test_backtesting_py(market, run, cash, count, final):
    bars = market()
    published = pl.read_csv(REAL / f"{PEER}/{run}.trades.csv")
    stats = json.loads((REAL / f"{PEER}/{run}.stats.json").read_text())
    found = engine.detail(bars, CROSS, engine.Terms(costs=FREE, starting_cash=cash))
    metrics, trades = found.metrics, found.trades
    assert len(trades) == metrics.trades == count
    assert metrics.final_equity == pytest.approx(final, abs=0.005)
    assert metrics.final_equity == pytest.approx(stats["Equity Final [$]"], abs=1e-6)
    assert (trades[:, c.ENTRY] == published["EntryBar"].to_numpy()).all()
    assert (trades[:, c.EXIT] == published["ExitBar"].to_numpy()).all()
    assert (trades[:, c.DIRECTION] * trades[:, c.SHARES] == published["Size"].to_numpy()).all()
    for column, name in ((c.ENTRY_PRICE, "EntryPrice"), (c.EXIT_PRICE, "ExitPrice"), (c.PNL, "PnL")):
        assert trades[:, column] == pytest.approx(published[name].to_numpy(), abs=1e-6)
    assert trades[:, c.RETURN] == pytest.approx(published["ReturnPct"].to_numpy(), abs=1e-12)
    # figures that both define alike
    assert metrics.total_return * 100 == pytest.approx(stats["Return [%]"], rel=1e-9)
    assert metrics.max_drawdown * 100 == pytest.approx(stats["Max. Drawdown [%]"], rel=1e-9)
    assert metrics.win_rate is not None
    assert metrics.win_rate * 100 == pytest.approx(stats["Win Rate [%]"], rel=1e-9)
    assert metrics.profit_factor == pytest.approx(stats["Profit Factor"], rel=1e-9)
    assert metrics.expectancy is not None
    assert metrics.expectancy * 100 == pytest.approx(stats["Expectancy [%]"], rel=1e-9)
    # and those that the peer defines in its own way, from our account
    ours = by_the_definitions_of_the_peer(found.equity[bars.starts[1:] - 1], trades[:, c.PNL], metrics.max_drawdown)
    for name, value in ours.items():
        assert value == pytest.approx(stats[name], rel=1e-6), name


def by_the_definitions_of_the_peer(day_equity: np.ndarray, pnl: np.ndarray, drawdown: float) -> dict[str, float]:
    """Return annual return, volatility and ratios as backtesting.py 0.6 defines them: geometric, 252 days a year."""
    days = np.diff(day_equity) / day_equity[:-1]
    growth = math.exp(np.log1p(days).mean())
    annual = growth**252 - 1
    volatility = math.sqrt((days.var(ddof=1) + growth**2) ** 252 - growth ** (2 * 252))
    falls = math.sqrt((np.minimum(days, 0) ** 2).mean()) * math.sqrt(252)
    return {
        "Return (Ann.) [%]": annual * 100,
        "Volatility (Ann.) [%]": volatility * 100,
        "Sharpe Ratio": annual / volatility,
        "Sortino Ratio": annual / falls,
        "Calmar Ratio": annual / -drawdown,
        "SQN": math.sqrt(len(pnl)) * pnl.mean() / pnl.std(ddof=1),
    }


@needs_data
def test_lean_basic_template_algorithm():
    """One market order for the whole account, filled at the first minute's ask, held to the end of the week."""
    factor = 0.8646266
    week = pl.col("ts") >= pl.datetime(2013, 10, 7, time_zone="UTC")
    bars = pl.read_parquet(REAL / "bars_1m/A/lean/SPY.parquet").filter(week)
    quotes = pl.read_parquet(REAL / "quotes_1m/A/lean/SPY.parquet").filter(pl.col("ts") == bars["ts"][0])
    ask = quotes["ask_close"][0]
    assert ask == 167.45
    close = bars["close"].to_numpy().copy()
    close[0] = ask
    market = market_of(
        ts_us=bars["ts"].dt.epoch("us").to_numpy(),
        **{name: bars[name].to_numpy() * factor for name in ("open", "high", "low")},
        close=close * factor,
        prediction=np.ones(len(bars)),
        fillable=np.ones(len(bars), dtype=np.bool_),
    )
    at_once = {"signal": Signal.POSITION, "threshold": 0, "delay_bars": 0, "fill": Fill.CLOSE}
    rule = Setting(**at_once, flat_at_close=False, sizing="shares", size=688)
    costs = Costs(fee_per_fill=0, fee_per_share=0.005, half_spread_bps=0)
    found = engine.detail(market, rule, engine.Terms(costs=costs, starting_cash=100_000.0))
    assert len(found.trades) == 1
    # LEAN ends with the shares in its account; ours sells them at the last close, which costs the fee once more
    held = found.cash[-2] + found.shares[-2] * market.close[-1]
    assert held == pytest.approx(101_691.92, abs=0.005)
    assert found.metrics.costs_paid / 2 == pytest.approx(3.44, abs=1e-9)


def one_entry(price: float, shares: int, costs: Costs, volume: float = 1e9) -> tuple[float, float]:
    """Return (shares bought, what they cost beyond the price) of one order filled in a bar of this price and volume."""
    bars, ones = 3, np.ones(3)
    market = market_of(
        # 2006-01-05 14:31 UTC, a minute after the open
        ts_us=np.int64(1_136_471_460_000_000) + np.arange(bars, dtype=np.int64) * MINUTE_US,
        **dict.fromkeys(("open", "high", "low", "close"), ones * price),
        prediction=np.array([1.0, 1.0, 1.0]),
        fillable=np.ones(bars, dtype=np.bool_),
        volume=ones * volume,
    )
    rule = Setting(threshold=0, signal=Signal.POSITION, sizing="shares", size=shares)
    found = engine.detail(market, rule, engine.Terms(costs=costs, starting_cash=1e6))
    return float(found.shares[1]), float(1e6 - found.cash[1] - found.shares[1] * price)


def test_zipline_volume_share_slippage():
    """An order for 100 shares in a bar of 200 at 3.00, 2.5 % of the volume, impact 0.1: 5 shares at 3.0001875."""
    costs = Costs(fee_per_fill=0, half_spread_bps=0, participation=0.025, volume_impact=0.1)
    shares, paid = one_entry(3.0, 100, costs, volume=200.0)
    assert shares == 5
    assert 3.0 + paid / shares == pytest.approx(3.0001875, abs=1e-10)


@pytest.mark.parametrize(
    ("price", "shares", "fees", "commission"),
    [
        (100.0, 230, {"fee_per_share": 0.0075}, 1.725),
        (101.0, 170, {"fee_per_share": 0.0075}, 1.275),
        (102.0, 100, {"fee_per_share": 0.0075}, 0.75),
        (100.0, 230, {"fee_per_share": 0.0075, "fee_minimum": 1.0}, 1.725),
        (100.0, 230, {"fee_per_share": 0.0075, "fee_minimum": 2.5}, 2.5),
        (100.0, 500, {"fee_per_share": 0.0075, "fee_minimum": 3.5}, 3.75),
        (100.0, 500, {"fee_per_share": 0.0075, "fee_minimum": 5.5}, 5.5),
        (100.0, 230, {"fee_bps": 15.0}, 34.5),
        (101.0, 170, {"fee_bps": 15.0}, 25.755),
        (102.0, 100, {"fee_bps": 15.0}, 15.3),
        (10.0, 100, {"fee_per_fill": 1.0}, 1.0),
        (10.0, 100, {"fee_per_share": 0.05}, 5.0),
    ],
)
def test_zipline_commissions(price, shares, fees, commission):
    """The fills of zipline's commission tests: per share with and without a minimum, per dollar, per trade."""
    bought, paid = one_entry(price, shares, Costs(**{"fee_per_fill": 0, "half_spread_bps": 0, **fees}))
    assert bought == shares
    assert paid == pytest.approx(commission, abs=1e-9)
