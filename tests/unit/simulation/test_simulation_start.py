"""What starting a process costs: numba comes with the first simulation, not before."""

from __future__ import annotations

import subprocess
import sys

from drawn_markets import market_from

from shared.contracts.backtests import Costs, Setting
from simulation_service.domain import engine, jump, step
from simulation_service.domain.ahead import compile_walks


def test_neither_web_process_nor_worker_imports_numba_when_it_starts():
    # and keep_compiled_code relies on it: numba reads its cache folder when it is imported
    code = "import sys, simulation_service.app, simulation_service.worker; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_what_is_compiled_ahead_serves_every_kind_of_market_and_setting():
    compile_walks()
    made = [walk.signatures for walk in (jump.walk, step.walk)]
    bars = {"open": 20.0, "high": 21.0, "low": 19.0, "close": 20.5, "prediction": 1.0, "real": True}
    bars |= {"volume": 10.0, "regime": 1, "bot": 0.6}
    session = {"bars": [{**bars, "minute": minute} for minute in range(40)], "last_minute": 389, "date": 0}
    wide = Setting(
        threshold=0, regime="mood", regime_states=(1,), bot_threshold=0.5, z_limit=3.0, volatility_scaled=True
    )
    costs = Costs(slippage_atr=0.1, participation=0.5, volume_impact=0.1, fee_minimum=1, borrow_rate=0.1)
    terms = engine.Terms(costs=costs, starting_cash=1_000.0)
    engine.sweep(market_from([session]), [wide, Setting(threshold=0, stop_loss=0.1)], terms)
    engine.detail(market_from([session]), wide, terms)
    assert [walk.signatures for walk in (jump.walk, step.walk)] == made
