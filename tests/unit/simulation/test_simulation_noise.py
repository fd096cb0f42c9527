"""2,000 settings on 50 symbols of noise: nothing may be earned there but the costs, and they must be lost."""

from __future__ import annotations

import numpy as np
import pytest

from shared.contracts.backtests import Costs, Fill, Setting
from shared.contracts.sessions import MINUTE_US, Sessions
from simulation_service.domain import engine
from simulation_service.domain.market import Market, market_of

SYMBOLS, SETTINGS, SESSIONS, MINUTES, STEPS = 50, 2_000, 40, 390, 120
BARS = SESSIONS * MINUTES
#: a round trip pays the half spread twice and nothing else, so a trade on a martingale returns minus this on average
HALF_SPREAD = 0.5e-4


def noise(symbol: int) -> Market:
    """Return minutes of a martingale without any edge, and predictions that know nothing of it.

    Of many steps a minute: stops fill at their price, and a path that leapt over it would give the leap away.
    """
    rng = np.random.default_rng((7, symbol))
    step = 4e-4 / np.sqrt(STEPS)
    path = np.exp(np.cumsum(rng.normal(-step * step / 2, step, BARS * STEPS))).reshape(BARS, STEPS) * 50
    opens = np.arange(SESSIONS, dtype=np.int64) * 86_400_000_000
    days = np.datetime64("2024-01-01") + np.arange(SESSIONS)
    calendar = Sessions(date=days, open_us=opens, close_us=opens + MINUTES * MINUTE_US)
    said = np.convolve(rng.normal(0, 1e-3, BARS), np.ones(8) / np.sqrt(8), "same")
    return market_of(
        ts_us=calendar.expected_minutes(),
        open=path[:, 0],
        high=path.max(axis=1),
        low=path.min(axis=1),
        close=path[:, -1],
        prediction=said,
        fillable=np.ones(BARS, dtype=np.bool_),
        sessions=calendar,
        regimes={"mood": rng.integers(0, 3, BARS // 30).repeat(30).astype(np.int8)},
    )


def some_settings(*, stops: bool) -> list[Setting]:
    """Return settings from everywhere in the space, half of them with stops or limits where `stops`."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(SETTINGS):
        chosen = {
            "threshold": float(rng.uniform(5e-4, 2.5e-3)),
            "side": str(rng.choice(["long_flat", "long_short", "short_flat"])),
            "hold_bars": int(rng.choice([0, 0, 5, 20, 60])),
            "delay_bars": int(rng.choice([1, 1, 2, 4])),
            "fill": [Fill.OPEN, Fill.CLOSE, Fill.MIDPOINT][rng.integers(3)],
            "flat_at_close": bool(rng.random() < 0.7),
            "z_limit": 3.0 if rng.random() < 0.3 else None,
            "volatility_scaled": bool(rng.random() < 0.3),
            "cooldown_bars": int(rng.choice([0, 0, 10])),
            "skip_first_minutes": int(rng.choice([0, 15])),
        }
        if rng.random() < 0.3:
            chosen |= {"regime": "mood", "regime_states": (0, 1)}
        if stops:
            chosen |= {"stop_loss": float(rng.uniform(1e-3, 6e-3)), "take_profit": float(rng.uniform(1e-3, 6e-3))}
        found.append(Setting(**chosen))
    return found


def swept(settings: list[Setting]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Sharpe ratios, those that costs alone explain, and t-statistics before costs, each (symbols, settings).

    A day's trades lose 2 x HALF_SPREAD each on average, whatever the setting, so the expected Sharpe ratio is minus
    that x trades a day / sd of the daily returns x sqrt(252).
    """
    terms = engine.Terms(costs=Costs(fee_per_fill=0, half_spread_bps=HALF_SPREAD * 1e4), starting_cash=1e7)
    free = engine.Terms(costs=Costs(fee_per_fill=0, half_spread_bps=0), starting_cash=1e7)
    sharpe, explained, before_costs = [], [], []
    for symbol in range(SYMBOLS):
        market = noise(symbol)
        paid, gross = (engine.sweep(market, settings, each, threads=2) for each in (terms, free))
        trades = np.array([metrics.trades for metrics in paid.metrics])
        spread = paid.daily_returns.std(axis=1, ddof=1)
        sharpe.append([metrics.sharpe for metrics in paid.metrics])
        explained.append(-2 * HALF_SPREAD * trades / SESSIONS / spread * np.sqrt(252))
        daily = gross.daily_returns
        before_costs.append(daily.mean(axis=1) / daily.std(axis=1, ddof=1) * np.sqrt(SESSIONS))
    return np.array(sharpe, dtype=float), np.array(explained), np.array(before_costs)


@pytest.mark.slow
def test_on_noise_every_setting_loses_its_costs_and_no_more():
    sharpe, explained, before_costs = swept(some_settings(stops=False))
    # settings share a market, markets share nothing: the error is that of the mean over symbols
    surplus = (sharpe - explained).mean(axis=1)
    error = surplus.std(ddof=1) / np.sqrt(SYMBOLS)
    assert explained.mean() < -1, "costs that nobody feels would prove nothing"
    assert abs(surplus.mean()) < 3 * error
    # 2,000 settings, each a mean over 50 markets of a t-statistic: beyond 4.5 lies one in 70 such tests by luck
    ahead = before_costs.mean(axis=0) * np.sqrt(SYMBOLS) / before_costs.std(axis=0, ddof=1)
    assert np.abs(ahead).max() < 4.5
    assert np.median(before_costs.std(axis=0, ddof=1)) == pytest.approx(1.0, abs=0.12)


@pytest.mark.slow
def test_stops_and_limits_earn_nothing_on_noise():
    _, _, before_costs = swept(some_settings(stops=True))
    ahead = before_costs.mean(axis=0) * np.sqrt(SYMBOLS) / before_costs.std(axis=0, ddof=1)
    assert ahead.max() < 4.5, "inside the bar the worse of two outcomes counts"
