"""What the mixture's labels cost beside a whole feature build: `python -m benchmarks.regimes`.

One symbol, five years of minutes (about 490,000 rows), everything in memory. Target: labelling and rolling mode
together under 20 % of the build of all features; a scheduled fit of 20,000 rows about half a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from feature_service.domain.bars import Bars, bars_of
from feature_service.domain.catalogue import FULL
from feature_service.domain.regimes.mixture import fit_mixture, label, rolling_mode, state
from shared.testing.markets import reverting_bars


def made(symbol: str, years: int, seed: int) -> Bars:
    from datetime import UTC, datetime

    span = (datetime(2019, 1, 1, tzinfo=UTC), datetime(2019 + years, 1, 1, tzinfo=UTC))
    return bars_of(reverting_bars(symbol, *span, seed=seed))


def best(work: Callable[[], object], times: int = 3) -> float:
    took = list[float]()
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def main(years: int = 5) -> None:
    own, market, proxy = (made(name, years, seed) for seed, name in enumerate(("SPY", "QQQ", "VIX")))
    past = market.head(20_000)
    fitted = fit_mixture(past, components=3, window=390)
    states = state(market, 390)
    labels = label(states, fitted)
    fit = best(lambda: fit_mixture(past, components=3, window=390))
    work = {
        "state": best(lambda: state(market, 390)),
        "labels": best(lambda: label(states, fitted)),
        "rolling mode": best(lambda: rolling_mode(labels, market.first, 30, 3)),
    }
    context = {"market": market, "volatility": proxy}
    FULL.compute(own.head(5_000).beside(context, {}))  # compiled kernels are loaded once a process

    def build() -> object:
        fresh = {role: one.beside({}, {}) for role, one in context.items()}  # nothing is remembered from before
        return FULL.compute(own.beside(fresh, {"market_mixture": fitted}))

    whole = best(build, 2)
    share = (work["labels"] + work["rolling mode"]) / whole
    print(f"{len(own):,} rows, {len(FULL.features)} features: whole build {whole:.2f} s")
    print("; ".join(f"{name} {took * 1e3:.0f} ms" for name, took in work.items()))
    print(f"labels and rolling mode: {share:.1%} of the build; a fit of {len(past):,} rows: {fit:.2f} s")
    print(f"same labels again: {np.array_equal(labels, label(states, fitted))}")


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
