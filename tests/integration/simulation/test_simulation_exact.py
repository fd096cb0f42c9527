"""What is opened is what was stored, to the last bit, whatever a setting asks for; also what older versions stored."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from importlib import resources
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from simulation_support import MIDDLE, MODEL, bars_and_predictions, simulate, sweep_of

from shared.contracts.datasets import BARS_1M, BOTS, EXPOSURES, FEATURES, PREDICTIONS, TRIALS
from shared.contracts.messages import Costs, Setting, Window
from shared.contracts.sessions import sessions_between
from shared.errors import InvalidInput
from shared.testing.servers import serving
from simulation_service.app import create_app
from simulation_service.domain.engine import SweepResult
from simulation_service.domain.market import SLOTS
from simulation_service.domain.metrics import SESSIONS_A_YEAR
from simulation_service.store import Registry, RunFilter, Series

WIDE = (
    Setting(threshold=1e-4, delay_bars=0, fill="close"),
    Setting(threshold=1e-4, delay_bars=4, fill="midpoint", side="long_short"),
    Setting(threshold=1e-4, side="short_flat", min_hold_bars=5, cooldown_bars=3),
    Setting(threshold=1e-4, z_limit=2.0, volatility_scaled=True, volatility_bars=60),
    Setting(threshold=1e-4, z_limit=1.5, z_bars=100, hold_bars=20),
    Setting(threshold=0, stop_loss=0.001, take_profit=0.002, side="long_short"),
    Setting(threshold=0, time_stop_bars=30, skip_first_minutes=15, skip_last_minutes=30),
    Setting(threshold=0, flat_at_close=False, side="long_short", hold_bars=200),
    Setting(threshold=0, sizing="fraction", size=0.3),
    Setting(threshold=0, sizing="shares", size=7, side="long_short"),
    Setting(threshold=0, regime="calm", regime_states=(0, 2), side="long_short"),
    Setting(threshold=0, bot_threshold=0.5),
    Setting(threshold=0.9),
)
COSTS = Costs(fee_per_share=0.005, fee_minimum=1.0, slippage_atr=0.05, participation=0.5, borrow_rate=0.03)


def prepare(service):
    """States by the hour, and folds in the first week that teach the bot."""
    lake = service.resources.lake
    bars = lake.read(lake.snapshot(BARS_1M, symbol="SPY"), ["symbol", "ts"])
    state = (pl.col("ts").dt.hour() % 3).cast(pl.Float32).alias("calm")
    lake.replace(FEATURES, bars.with_columns(state, feature_set=pl.lit("states-0a1b2c3d")))
    said = lake.read(lake.snapshot(PREDICTIONS, model=MODEL, symbol="SPY"))
    fold = pl.when(pl.col("ts") >= MIDDLE).then(-1).otherwise((pl.col("ts").dt.weekday() - 1) // 2)
    lake.replace(PREDICTIONS, said.with_columns(fold.cast(pl.Int16).alias("fold")))


def test_every_kind_of_setting_opens_to_the_figures_that_are_stored(service, settings):
    prepare(service)
    result = simulate(service, settings, sweep_of(settings=WIDE, costs=COSTS, bot_horizon_bars=10))
    name, lake = result["fingerprint"], service.resources.lake
    ledger = lake.read(lake.snapshot(TRIALS, sweep=name))
    with serving(create_app(settings)) as http:
        for index, setting in enumerate(WIDE):
            run = http.get(f"/runs/{name}-{index}").json()
            stored = run["metrics"]
            assert run["setting"] == setting.model_dump(mode="json")

            def table(part, index=index):
                answer = http.get(f"/runs/{name}-{index}/{part}", params={"format": "parquet"})
                assert answer.status_code == 200, answer.text
                return pl.read_parquet(io.BytesIO(answer.content))

            trades, equity = table("trades"), table("equity")
            assert trades.height == stored["trades"]
            assert equity["equity"][-1] == stored["final_equity"]
            assert equity["drawdown"].min() == stored["max_drawdown"]
            assert (equity["cash"] + equity["shares"] * equity["close"]).to_list() == equity["equity"].to_list()
            daily = equity.group_by_dynamic("ts", every="1d").agg(pl.col("equity").last())["equity"].to_numpy()
            earned = daily / np.concatenate([[100_000.0], daily[:-1]]) - 1
            mine = ledger.filter(pl.col("setting") == index)["daily_return"].to_numpy()
            np.testing.assert_array_equal(earned, mine)
            assert table("daily")["daily_return"].to_list() == mine.tolist()
            if stored["sharpe"] is not None:
                sharpe = mine.mean() / mine.std(ddof=1) * SESSIONS_A_YEAR**0.5
                assert stored["sharpe"] == pytest.approx(sharpe)
            assert stored["costs_paid"] == pytest.approx(trades["costs"].sum())
    counts = [run["metrics"]["trades"] for run in result["runs"]]
    assert all(counts[:-1]), "a setting that never trades proves nothing"
    assert counts[-1] == 0


def test_another_symbols_bot_is_taught_by_the_symbol_the_model_was_trained_on(service, settings):
    prepare(service)
    lake = service.resources.lake
    bars, predictions = bars_and_predictions(seed=5)
    lake.upsert(BARS_1M, bars.with_columns(pl.lit("QQQ").alias("symbol")))
    frozen = predictions.filter(pl.col("ts") >= MIDDLE).with_columns(pl.lit("QQQ").alias("symbol"))
    lake.upsert(PREDICTIONS, frozen)
    asked = sweep_of(symbol="QQQ", settings=(Setting(threshold=0, bot_threshold=0.5),))
    found = simulate(service, settings, asked)
    assert 0 < found["runs"][0]["metrics"]["trades"] == service.runs.detail(f"{found['fingerprint']}-0").trades.height
    assert len(lake.partitions(BOTS)) == 1


def test_the_bot_of_ones_own_signals_learns_from_earlier_months(service, settings):
    start, end = datetime(2024, 4, 22, tzinfo=UTC), datetime(2024, 5, 8, tzinfo=UTC)
    ts = sessions_between(*(int(at.timestamp() * 1e6) for at in (start, end))).expected_minutes()
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 4e-4, len(ts))))
    stamps = pl.Series(ts.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    names = pl.DataFrame({"symbol": ["SPY"] * len(ts), "ts": stamps})
    prices = dict.fromkeys(("open", "high", "low", "close"), pl.Series(close))
    bars = names.with_columns(**prices, volume=pl.lit(1.0), source=pl.lit("test"))
    service.resources.lake.upsert(BARS_1M, bars)
    said = names.select("ts", prediction=pl.Series(rng.normal(0, 4e-4, len(ts))))
    said = said.with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    own = service.signals.keep(said.write_csv().encode(), symbol="SPY").fingerprint
    setting = Setting(threshold=0, bot_threshold=0.5)
    asked = sweep_of(model=own, window=Window(start=start, end=end), settings=(setting,))
    found = simulate(service, settings, asked)
    trades = service.runs.detail(f"{found['fingerprint']}-0").trades
    assert trades.height > 0
    assert trades["entry_ts"].min() >= datetime(2024, 5, 1, tzinfo=UTC), "the first month teaches, and is not judged"
    april = asked.model_copy(update={"window": Window(start=start, end=start + timedelta(days=7))})
    with pytest.raises(InvalidInput, match="the bot has nothing to learn from"):
        simulate(service, settings, april)


def test_the_ledger_of_a_thousand_settings_and_a_year_is_a_few_megabytes(service):
    """Random returns compress least: 16 bytes of numbers a row, and next to nothing for what they belong to."""
    rng = np.random.default_rng(0)
    returns, held = rng.normal(0, 0.01, (2, 1000, 250)), rng.random((1000, SLOTS))
    swept = SweepResult(metrics=(), daily_returns=returns[0], timing_alpha=returns[1], mean_position=held)
    sessions = np.datetime64("2024-01-01") + np.arange(250)
    series, lake = Series(service.resources.lake), service.resources.lake
    series.save_sweep("ab" * 32, SimpleNamespace(session=sessions), swept, None)
    [file] = lake.partitions(TRIALS)
    assert file.row_count == 250_000
    assert file.byte_count < 4_100_000
    kept = series.trials("ab" * 32, 999)
    assert kept["daily_return"].to_list() == returns[0, 999].tolist()
    assert sum(one.byte_count for one in lake.partitions(EXPOSURES)) < 3_300_000


def test_what_the_first_version_stored_is_read_by_this_one(database):
    scripts = resources.files("simulation_service") / "sql" / "migrations"
    first = (scripts / "0001_sweeps.sql").read_text()
    with database.transaction() as conn:
        conn.execute("create schema simulation")
        conn.execute(first)
        conn.execute(
            """insert into simulation.sweep (fingerprint, model, symbol, window_start, window_end, starting_cash,
                 fee_per_fill, fee_per_share, half_spread_bps, baseline_settings, evidence, data_version, code_version,
                 bars, sessions, job_id)
               values ('f', 'm', 'SPY', '2024-01-02Z', '2024-02-01Z', 5000, 0.02, 0, 0.5, '{}', 'frozen', 'd', 'c',
                 10, 1, 1)"""
        )
        conn.execute(
            """insert into simulation.run values ('f', 0, 0.0001, 'long_flat', 15, 1, 'open', true, 0.1, 0.05, null,
                 -0.02, 1.5, 1.5, null, 3, 0.66, 0.5, 0.3, 1.25, 5500, null)"""
        )
        for script in sorted(scripts.iterdir(), key=lambda path: path.name)[1:]:
            conn.execute(script.read_text())
    registry = Registry(database)
    [run], total = registry.runs(RunFilter(sort="total_return"))
    assert total == 1
    assert run.setting == Setting(threshold=0.0001, hold_bars=15)
    assert (run.metrics.total_return, run.metrics.sharpe, run.metrics.trades, run.metrics.sortino) == (
        0.1,
        None,
        3,
        None,
    )
    assert (run.costs, run.starting_cash) == (Costs(), 5000.0)
    sweep = registry.sweep("f")
    assert sweep is not None
    assert (sweep.starting_cash, sweep.costs, sweep.settings) == (5000.0, Costs(), 1)
    assert sweep.window.start == datetime(2024, 1, 2, tzinfo=UTC)
