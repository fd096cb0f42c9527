"""Real minutes: a year of SPY, and TPL with most of its minutes missing. Skipped where they are not at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shared.contracts.messages import Costs, Fill, Setting
from simulation_service.domain import columns, engine
from simulation_service.domain.audit import metrics_from
from simulation_service.domain.market import market_of

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "bars_1m" / "A" / "us2024"
GRID = [
    Setting(threshold=threshold, hold_bars=hold, side=side, fill=fill, delay_bars=delay, flat_at_close=flat)
    for threshold, hold in ((1e-4, 0), (1e-3, 15))
    for side in ("long_flat", "long_short")
    for fill, delay, flat in ((Fill.OPEN, 1, True), (Fill.MIDPOINT, 4, True), (Fill.CLOSE, 1, False))
]


@pytest.mark.skipif(not FOLDER.is_dir(), reason="real bars lie beside the project, not in it")
@pytest.mark.parametrize(("symbol", "sessions"), [("SPY", 256), ("TPL", 252)])
def test_ledger_trades_and_account_agree_to_the_last_bit(symbol, sessions):
    bars = pl.read_parquet(FOLDER / f"{symbol}.parquet").sort("ts")
    prices = {name: bars[name].to_numpy() for name in ("open", "high", "low", "close")}
    said = np.random.default_rng(0).normal(0, 5e-4, bars.height)
    traded = np.ones(bars.height, dtype=bool)
    market = market_of(ts_us=bars["ts"].dt.epoch("us").to_numpy(), prediction=said, fillable=traded, **prices)
    assert market.sessions == sessions
    terms = engine.Terms(costs=Costs(), starting_cash=100_000.0)
    swept = engine.sweep(market, GRID, terms)
    for setting, metrics in zip(GRID, swept.metrics, strict=True):
        found = engine.detail(market, setting, terms)
        assert found.metrics == metrics
        assert metrics_from(market, setting, terms, found) == metrics
        entries, exits = (market.ts_us[found.trades[:, column].astype(int)] for column in (columns.ENTRY, columns.EXIT))
        assert (entries[1:] >= exits[:-1]).all()
        if setting.flat_at_close:
            day = 86_400_000_000
            assert (entries // day == exits // day).all(), "nothing is held overnight"
