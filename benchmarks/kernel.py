"""How fast a sweep is: settings x bars a second over one year of minutes, beside a plain pass over the same prices.

    python benchmarks/kernel.py [settings]

252 full sessions, a seeded random walk, half of the settings long/short, thresholds from hardly to often crossed.
The plain pass sums the closes in compiled code: nothing that looks at each bar once is much faster.
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import resource
import time
from collections.abc import Callable

import numpy as np
from numba import njit

from shared.contracts.messages import Costs, Setting
from shared.contracts.sessions import MINUTE_US, Sessions
from simulation_service.domain import engine
from simulation_service.domain.market import Market, market_of

SESSIONS, MINUTES = 252, 390


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
    return market_of(
        ts_us=calendar.expected_minutes(),
        open=first,
        high=np.maximum(first, close),
        low=np.minimum(first, close),
        close=close,
        prediction=np.convolve(rng.normal(0, 4e-4, bars), np.ones(15) / 15, "same") * 5,
        fillable=np.ones(bars, dtype=np.bool_),
        sessions=calendar,
    )


@njit
def plain(prices: np.ndarray) -> float:
    total = 0.0
    for price in prices:
        total += price
    return total


def best_of(times: int, action: Callable[[], object]) -> tuple[float, float]:
    """Return the shortest (wall seconds, CPU seconds): on a busy machine the second is the one to compare."""
    spent = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        spent.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(wall for wall, _ in spent), min(cpu for _, cpu in spent)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    market, terms = year(), engine.Terms(costs=Costs(), starting_cash=100_000.0)
    axes = [(hold, side) for hold in (0, 5, 15, 30, 60) for side in ("long_flat", "long_short")]
    settings = [
        Setting(threshold=float(threshold), hold_bars=axes[i % 10][0], side=axes[i % 10][1])
        for i, threshold in enumerate(np.linspace(5e-5, 2e-3, count))
    ]
    begun = time.perf_counter()
    engine.sweep(market, settings[:1], terms)
    print(f"first setting, compiling or loading compiled code included: {time.perf_counter() - begun:.2f} s")
    _, floor = best_of(5, lambda: plain(market.close))
    for threads in (1, 2):
        wall, cpu = best_of(5, lambda threads=threads: engine.sweep(market, settings, terms, threads=threads))
        speed = count * market.bars / cpu
        print(
            f"{count} settings x {market.bars} bars, {threads} thread(s): {wall:.3f} s, of CPU {cpu:.3f} s:"
            f" {count / cpu:,.0f} settings/s, {speed / 1e6:,.0f} million bars/s a CPU second"
            f" ({market.bars / floor / speed:.1f}x a plain pass)"
        )
    trades = sum(metrics.trades for metrics in engine.sweep(market, settings, terms).metrics)
    print(f"{trades / count:,.0f} trades a setting; one run in full detail: ", end="")
    print(f"{best_of(3, lambda: engine.detail(market, settings[0], terms))[1] * 1e3:.0f} ms of CPU")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
