"""Compile both walks before anybody waits for them: `python -m simulation_service.domain.ahead`.

Machine code is kept on disk, so a process of its own can make it for all others: ten seconds of a core, once.
"""

from __future__ import annotations

import os

import numpy as np

from shared.contracts.backtests import Costs, Setting
from shared.contracts.sessions import all_sessions
from simulation_service.domain import engine
from simulation_service.domain.engine import Terms
from simulation_service.domain.market import market_of


def compile_walks() -> None:
    """Walk over one session as a sweep and as a detail does: what is compiled goes by the types of their arguments."""
    ts_us = all_sessions().open_us[:1] + 60_000_000 * np.arange(5)
    price = np.full(len(ts_us), 100.0)
    market = market_of(
        ts_us=ts_us,
        open=price,
        high=price,
        low=price,
        close=price,
        prediction=np.ones(len(ts_us)),
        fillable=np.ones(len(ts_us), dtype=np.bool_),
    )
    terms = Terms(costs=Costs(), starting_cash=1_000.0)
    engine.sweep(market, [Setting(threshold=0.0)], terms)
    engine.detail(market, Setting(threshold=0.0), terms)


if __name__ == "__main__":
    os.nice(19)
    compile_walks()
