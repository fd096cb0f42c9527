"""A split inside a window is no jump: what is simulated equals the twin that never split."""

from __future__ import annotations

import io
from datetime import date, timedelta

import polars as pl
import pytest
from simulation_support import END, MIDDLE, START, bars_and_predictions, simulate, sweep_of

from shared.contracts.datasets import BARS_1M, CORPORATE_ACTIONS
from shared.contracts.messages import Costs, Setting
from shared.contracts.splits import trading_days

#: a Wednesday of the simulated week; the factor is seven, so no product is exact
EX_DATE, RATIO = date(2024, 3, 13), 7.0
PRICES = ("open", "high", "low", "close")
CASH = 1e12
FREE = Costs(fee_per_fill=0, half_spread_bps=0, participation=0.5)


def as_traded(bars: pl.DataFrame) -> pl.DataFrame:
    """Return the bars as they are traded when one old share becomes seven new ones: earlier ones as they were."""
    later = trading_days(bars["ts"]) >= EX_DATE
    scale = pl.when(pl.Series(later)).then(RATIO).otherwise(1.0)
    return bars.with_columns(pl.col(*PRICES) / scale, pl.col("volume") * 1e9 * scale)


def tell(service, ex_date: date) -> None:
    row = {"symbol": "SPY", "kind": "split", "ex_date": ex_date, "value": RATIO, "factor": None, "former": None}
    service.resources.lake.upsert(
        CORPORATE_ACTIONS, pl.DataFrame([{**row, "source": "test"}], CORPORATE_ACTIONS.schema)
    )


def settings_of(**changes):
    return tuple(
        Setting(threshold=0.0002, hold_bars=hold, side=side, **changes)
        for hold, side in ((0, "long_flat"), (15, "long_short"), (600, "long_short"))
    )


def test_a_split_inside_the_window_changes_nothing_but_rounding(service, settings):
    twin, _ = bars_and_predictions()
    lake = service.resources.lake
    lake.upsert(BARS_1M, twin.with_columns(pl.col("volume") * 1e9))
    sweep = sweep_of(settings=settings_of(), starting_cash=CASH, costs=FREE)
    expected = simulate(service, settings, sweep)

    lake.upsert(BARS_1M, as_traded(twin))
    jumped = simulate(service, settings, sweep)
    tell(service, EX_DATE)
    found = simulate(service, settings, sweep)

    assert len({expected["fingerprint"], jumped["fingerprint"], found["fingerprint"]}) == 3
    for run, other, wrong in zip(found["runs"], expected["runs"], jumped["runs"], strict=True):
        assert run["metrics"] == pytest.approx(other["metrics"], rel=1e-5, abs=1e-7, nan_ok=True)
        assert wrong["metrics"] != pytest.approx(other["metrics"], rel=1e-2, nan_ok=True)
    opened = service.runs.detail(f"{found['fingerprint']}-0")
    assert opened.run.metrics.final_equity == found["runs"][0]["metrics"]["final_equity"]


def test_predicted_prices_are_split_with_the_bars(service, settings):
    twin, said = bars_and_predictions()
    lake = service.resources.lake
    to_come = said.select("ts", prediction=twin["close"] * said["prediction"].exp()).filter(pl.col("ts") >= MIDDLE)

    def simulated(frame):
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        mine = service.signals.keep(buffer.getvalue(), symbol="SPY").fingerprint
        asked = sweep_of(model=mine, settings=settings_of(signal="price"), starting_cash=CASH, costs=Costs())
        return simulate(service, settings, asked)

    # a twin in the shares of the window's end, since a threshold in currency is
    lake.upsert(BARS_1M, twin.with_columns(pl.col(*PRICES) / RATIO))
    expected = simulated(to_come.with_columns(pl.col("prediction") / RATIO))

    later = pl.when(pl.Series(trading_days(to_come["ts"]) >= EX_DATE)).then(RATIO).otherwise(1.0)
    lake.upsert(BARS_1M, as_traded(twin))
    tell(service, EX_DATE)
    found = simulated(to_come.with_columns(pl.col("prediction") / later))
    for run, other in zip(found["runs"], expected["runs"], strict=True):
        assert run["metrics"]["trades"] == other["metrics"]["trades"] > 0
        assert run["metrics"]["final_equity"] == pytest.approx(other["metrics"]["final_equity"], rel=1e-6)


def test_a_split_outside_the_window_leaves_its_sweep_as_it_was(service, settings):
    expected = simulate(service, settings, sweep_of())
    tell(service, END.date() + timedelta(days=3))
    tell(service, START.date())
    assert simulate(service, settings, sweep_of()) == {**expected, "reused": True}
