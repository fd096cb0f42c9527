"""The simulation engine beside vectorbt and backtesting.py, on the same bars, fills and fees, in the same run.

    python benchmarks/simulation.py            # 1,000 and 10,000 settings x 98,280 bars; about a minute
    python benchmarks/simulation.py --quick    # fewer settings, once each

A year of seeded minutes, 252 full sessions. Every setting is long while its threshold is exceeded, fills at the next
open, holds overnight, all in, whole shares; thresholds go from hardly to often crossed. Peers are given as many
settings as fit in seconds, spread evenly over the same thresholds, and are called as their documentation has it.

1. Equal first: trade by trade and bar by bar the peers' accounts must be ours, or nothing is timed.
2. vectorbt's `Portfolio.from_signals` with seven of our figures (total return, Sharpe ratio, maximal drawdown, trades,
   win rate, profit factor, SQN; its Sharpe ratio is of bars, ours of days), its signals made beforehand.
3. Ours makes everything a sweep keeps: all figures, daily returns, the timing alpha.

Times are the best of some, per CPU second of the process where one thread is meant (other load on the machine counts
less so), per wall second for the scaling from one thread to two.
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import resource
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numba import njit

from shared.contracts.backtests import Costs, Setting
from shared.contracts.sessions import MINUTE_US, Sessions
from simulation_service.domain import columns as c
from simulation_service.domain import engine
from simulation_service.domain.market import Market, market_of

SESSIONS, MINUTES = 252, 390
CASH = 100_000.0
#: fees of every run: 0.02 a fill and half a basis point; backtesting.py counts a fixed fee into the price of a share,
#: so beside it the fixed one is left out, on both sides
FEES, RATE_ONLY = Costs(), Costs(fee_per_fill=0)
RATE = 0.5e-4


def year() -> Market:
    opens = np.arange(SESSIONS, dtype=np.int64) * 86_400_000_000
    calendar = Sessions(
        date=np.datetime64("2024-01-01") + np.arange(SESSIONS), open_us=opens, close_us=opens + MINUTES * MINUTE_US
    )
    rng = np.random.default_rng(1)
    bars = SESSIONS * MINUTES
    moves = rng.normal(0, 4e-4, bars)
    close = 100 * np.exp(np.cumsum(moves))
    first = np.concatenate([[100.0], close[:-1]])
    prediction = np.convolve(rng.normal(0, 4e-4, bars), np.ones(15) / 15, "same") * 5
    prediction[-3:] = -1.0  # the peers leave positions open at the end, ours does not: nobody has one
    return market_of(
        ts_us=calendar.expected_minutes(),
        open=first,
        high=np.maximum(first, close),
        low=np.minimum(first, close),
        close=close,
        prediction=prediction,
        fillable=np.ones(bars, dtype=np.bool_),
        sessions=calendar,
        day_orders=False,
    )


def grid(count: int) -> list[Setting]:
    return [Setting(threshold=float(level), flat_at_close=False) for level in np.linspace(5e-5, 2e-3, count)]


def busy_grid(count: int) -> list[Setting]:
    """Return settings of another kind: out at the close, half of them both ways, held for a time or for the signal."""
    axes = [(hold, side) for hold in (0, 5, 15, 30, 60) for side in ("long_flat", "long_short")]
    levels = np.linspace(5e-5, 2e-3, count)
    return [Setting(threshold=float(t), hold_bars=axes[i % 10][0], side=axes[i % 10][1]) for i, t in enumerate(levels)]


def guarded_grid(count: int) -> list[Setting]:
    """Return settings with filters, gates and stops."""
    return [
        Setting(
            threshold=float(level), z_limit=3.0, volatility_scaled=True, stop_loss=0.004, take_profit=0.006,
            cooldown_bars=3, skip_first_minutes=5,
        )
        for level in np.linspace(5e-5, 2e-3, count)
    ]  # fmt: skip


@njit
def plain(prices: np.ndarray) -> float:
    total = 0.0
    for price in prices:
        total += price
    return total


def best_of(times: int, action: Callable[[], object]) -> tuple[float, float]:
    """Return the shortest (wall seconds, CPU seconds)."""
    spent = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        spent.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(wall for wall, _ in spent), min(cpu for _, cpu in spent)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(market: Market, counts: Sequence[int], times: int) -> float:
    """Print our speeds; return settings a CPU second on one thread of the first count."""
    terms = engine.Terms(costs=FEES, starting_cash=CASH)
    begun = time.perf_counter()
    engine.sweep(market, grid(1), terms)
    print(f"first setting, compiling or loading compiled code included: {time.perf_counter() - begun:.2f} s")
    plain(market.close)
    floor = best_of(9, lambda: plain(market.close))[1]
    speeds = []
    for name, make in (("threshold", grid), ("mixed", busy_grid), ("guarded", guarded_grid)):
        for count in counts if make is grid else counts[:1]:
            settings = make(count)
            before = peak_mb()
            walls = {}
            for threads in (1, 2):
                walls[threads], cpu = best_of(
                    times, lambda t=threads, s=settings: engine.sweep(market, s, terms, threads=t)
                )
                if threads == 1:
                    speeds.append(count / cpu)
            trades = sum(metrics.trades for metrics in engine.sweep(market, settings, terms).metrics) / count
            per_bar = 1 / (speeds[-1] * market.bars)
            print(
                f"ours, {name}: {count:,} settings x {market.bars:,} bars, {trades:,.0f} trades each: "
                f"{speeds[-1]:,.0f} settings/s, {1e-6 / per_bar:,.0f} million bars/s a core; a plain pass over the "
                f"closes does {1e-6 * market.bars / floor:,.0f} million/s ({per_bar * market.bars / floor:.2f} of its "
                f"time); 2 threads {walls[1] / walls[2]:.2f}x; peak memory {peak_mb():,.0f} MB (before {before:,.0f})"
            )
    detail = best_of(times, lambda: engine.detail(market, grid(2)[0], terms))[1]
    print(f"ours: one run in full detail {detail * 1e3:.0f} ms")
    return speeds[0]


def beside_vectorbt(market: Market, count: int, speed: float, times: int) -> None:
    import pandas as pd
    import vectorbt as vbt

    settings = grid(count)
    over = market.prediction[:, None] > np.array([setting.threshold for setting in settings])[None, :]
    late = np.vstack([np.zeros((1, count), dtype=np.bool_), over[:-1]])
    opens, closes = pd.Series(market.open), pd.Series(market.close)

    def run(columns: slice = slice(None)) -> vbt.Portfolio:
        return vbt.Portfolio.from_signals(
            closes, late[:, columns], ~late[:, columns], price=opens, size=np.inf, size_granularity=1, init_cash=CASH,
            fees=RATE, fixed_fees=FEES.fee_per_fill, freq="1min",
        )  # fmt: skip

    def seven(portfolio: vbt.Portfolio) -> list[object]:
        trades = portfolio.trades
        return [
            portfolio.total_return(), portfolio.sharpe_ratio(), portfolio.max_drawdown(), trades.count(),
            trades.win_rate(), trades.profit_factor(), trades.sqn(),
        ]  # fmt: skip

    theirs, terms = run(), engine.Terms(costs=FEES, starting_cash=CASH)
    values, records = theirs.value().to_numpy(), theirs.trades.records
    swept = engine.sweep(market, settings, terms)
    for index, setting in enumerate(settings):
        found, rows = engine.detail(market, setting, terms), records[records["col"] == index]
        same_trade(found.trades, c.ENTRY, rows["entry_idx"].to_numpy())
        same_trade(found.trades, c.EXIT, rows["exit_idx"].to_numpy())
        same_trade(found.trades, c.SHARES, rows["size"].to_numpy())
        same_trade(found.trades, c.PNL, rows["pnl"].to_numpy())
        if not np.allclose(found.equity, values[:, index], rtol=1e-9, atol=1e-6):
            raise SystemExit(f"vectorbt's account of {setting} is not ours: nothing is timed")
        if found.metrics != swept.metrics[index]:
            raise SystemExit(f"sweep and detail of {setting} differ: nothing is timed")
    print(f"vectorbt: {count} settings, {len(records):,} trades and every bar's equity equal to ours")
    figures = np.array([(metrics.total_return, metrics.max_drawdown) for metrics in swept.metrics]).T
    if not np.allclose(figures, [theirs.total_return().to_numpy(), theirs.max_drawdown().to_numpy()]):
        raise SystemExit("vectorbt's total return or drawdown is not ours: nothing is timed")
    seven(run())  # it compiles what it needs on the first call
    cpu = best_of(times, lambda: seven(run()))[1]
    print(f"vectorbt: {count / cpu:,.1f} settings/s with seven figures; ours {speed / (count / cpu):,.0f}x as many")


def beside_backtesting(market: Market, speed: float) -> None:
    import pandas as pd
    from backtesting import Backtest, Strategy

    setting = grid(9)[6]
    index = pd.DatetimeIndex(market.ts_us.astype("datetime64[us]"))
    data = {"Open": market.open, "High": market.high, "Low": market.low, "Close": market.close}
    frame = pd.DataFrame({**data, "Said": market.prediction}, index=index)

    class OverThreshold(Strategy):
        def init(self) -> None:
            self.over = self.data.Said > setting.threshold

        def next(self) -> None:
            over = self.data.Said[-1] > setting.threshold
            if over and not self.position:
                self.buy()
            elif not over and self.position:
                self.position.close()

    test = Backtest(frame, OverThreshold, cash=CASH, commission=RATE)
    wall, cpu = time.perf_counter(), time.process_time()
    stats = test.run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    terms = engine.Terms(costs=RATE_ONLY, starting_cash=CASH)
    found = engine.detail(market, setting, terms)
    theirs = stats["_trades"]
    same_trade(found.trades, c.ENTRY, theirs["EntryBar"].to_numpy())
    same_trade(found.trades, c.EXIT, theirs["ExitBar"].to_numpy())
    same_trade(found.trades, c.SHARES, theirs["Size"].to_numpy())
    same_trade(found.trades, c.PNL, theirs["PnL"].to_numpy())
    # before its first bars its equity is the cash
    if not np.allclose(found.equity, stats["_equity_curve"]["Equity"].to_numpy(), rtol=1e-9, atol=1e-6):
        raise SystemExit("backtesting.py's account is not ours: nothing is timed")
    print(f"backtesting.py: {len(theirs):,} trades and every bar's equity equal to ours")
    print(f"backtesting.py: {cpu:.2f} CPU s a setting ({wall:.2f} s wall); ours {speed * cpu:,.0f}x as many settings/s")


def same_trade(trades: np.ndarray, column: int, theirs: np.ndarray) -> None:
    if len(trades) != len(theirs) or not np.allclose(trades[:, column], theirs, rtol=1e-9, atol=1e-6):
        raise SystemExit(f"column {column} of {len(theirs)} trades is not that of our {len(trades)}: nothing is timed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 and 1,000 settings, each once; ten for vectorbt")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")
    market = year()
    # ours first: the peers' imports and matrices would count as our memory
    speed = ours(market, (200, 1_000) if quick else (1_000, 10_000), 2 if quick else 3)
    beside_vectorbt(market, 10 if quick else 40, speed, 1 if quick else 3)
    beside_backtesting(market, speed)


if __name__ == "__main__":
    main()
