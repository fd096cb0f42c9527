"""Simulation and optimization pages in Chromium: readable, accessible, and equal to what the API says."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from browser_service import service_process
from pydantic import SecretStr

from optimization_service.domain.batch import Pair, batch_of
from optimization_service.domain.search import Search
from optimization_service.settings import Settings as OptimizationSettings
from optimization_service.store import Registry, TrialFilter
from optimization_service.wiring import assemble as assemble_optimization
from optimization_service.worker import handlers as batch_handlers
from shared.contracts.datasets import BARS_1M, PREDICTIONS
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Costs, Window
from shared.contracts.sessions import sessions_between
from shared.jobs.model import Submission
from shared.testing.jobs import run_pending
from shared.testing.postgres import fresh_database
from simulation_service.settings import Settings
from simulation_service.worker import handlers

MODEL = hashlib.sha256(b"a model").hexdigest()
WINDOW = Window(start=datetime(2024, 1, 2, tzinfo=UTC), end=datetime(2024, 4, 1, tzinfo=UTC))
AXES = {"threshold": (0.0001, 0.0005, 0.001, 0.002), "hold_bars": (0, 15, 60)}


def fill_lake(lake):
    """Three months of one symbol, and predictions that know a little."""
    span = (int(WINDOW.start.timestamp() * 1e6), int(WINDOW.end.timestamp() * 1e6))
    ts = sessions_between(*span).expected_minutes()
    rng = np.random.default_rng(11)
    moves = rng.normal(0, 4e-4, len(ts))
    close = 100 * np.exp(np.cumsum(moves))
    stamps = pl.Series(ts.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    opens = np.concatenate([[100.0], close[:-1]])
    prices = {"open": opens, "high": np.maximum(opens, close), "low": np.minimum(opens, close), "close": close}
    bars = pl.DataFrame({"symbol": ["SPY"] * len(ts), "ts": stamps, **prices, "volume": np.ones(len(ts))})
    lake.upsert(BARS_1M, bars.with_columns(pl.lit("test").alias("source")))
    future = np.concatenate([np.convolve(moves, np.ones(15), "valid")[1:], np.zeros(15)])
    said = 0.1 * future + rng.normal(0, 7e-4, len(ts))
    predictions = pl.DataFrame({"model": [MODEL] * len(ts), "symbol": ["SPY"] * len(ts), "ts": stamps})
    predictions = predictions.with_columns(pl.Series("prediction", said), pl.lit(-1, pl.Int16).alias("fold"))
    lake.upsert(PREDICTIONS, predictions)


@pytest.fixture(scope="module")
def house(postgres_url, tmp_path_factory):
    """Both services in processes of their own, after one batch: (simulation, optimization, batch, sweep)."""
    home = tmp_path_factory.mktemp("backtests")
    with fresh_database(postgres_url) as url:
        settings = OptimizationSettings(database_url=SecretStr(url), home=home)
        pair = Pair(model=MODEL, symbol="SPY", window=WINDOW)
        batch = batch_of([pair], AXES, search=Search(), costs=Costs(), starting_cash=100_000.0)
        with assemble_optimization(settings) as wired:
            fill_lake(wired.resources.lake)
            submission = Submission(kind=JobKind.BATCH, payload={"batch": batch.fingerprint})
            [job_id] = wired.resources.queue.submit([submission])
            registry = Registry(wired.resources.database)
            with registry.transaction() as conn:
                registry.start(conn, batch, job_id)
            simulating = Settings(**settings.model_dump(exclude={"name"}))
            with batch_handlers(settings) as own, handlers(simulating) as theirs:
                run_pending(wired.resources.queue, {**own, **theirs})
            sweep = wired.leaderboard.page(TrialFilter())[0][0].sweep
        with (
            service_process("simulation_service.app", "simulation", url, home) as simulation,
            service_process("optimization_service.app", "optimization", url, home) as optimization,
        ):
            yield simulation, optimization, batch.fingerprint, sweep


@pytest.mark.browser
def test_a_form_sent_with_a_mistake_keeps_its_values(house, visit):
    page = visit(house[0].url, "/")
    page.fill("#f-model", MODEL)
    page.fill("#f-symbol", "SPY")
    page.fill("#f-start", "2024-03-01")
    page.fill("#f-end", "2024-02-01")
    with page.expect_navigation():
        page.click("#simulate button.primary")
    assert "start must come first" in page.inner_text("[role=alert]")
    assert page.input_value("#f-model") == MODEL


@pytest.mark.browser
def test_sorting_the_leaderboard_changes_the_address_and_the_rows(house, visit):
    page = visit(house[1].url, "/leaderboard")
    page.click("th a:has-text('trades')")
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    assert "sort=-trades" in page.url
    column = [head.inner_text().lower() for head in page.query_selector_all("#leaderboard thead th")].index("trades")
    trades = [
        int(row.query_selector_all("th,td")[column].inner_text().replace(",", ""))
        for row in page.query_selector_all("#leaderboard tbody tr")
    ]
    assert trades == sorted(trades, reverse=True)
    assert len(trades) == 12
