"""What single features are worth on bars one can work out by hand, and against published files."""

import csv
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from feature_markets import bars_frame, random_bars

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, bars_of, usable
from feature_service.domain.blocks import (
    WARM_UP_BARS,
    Month,
    block_fingerprint,
    compute_block,
    months_between,
)
from feature_service.domain.catalogue import CORE, FULL, FeatureSet, feature_set
from shared.contracts.datasets import TS
from shared.errors import InvalidInput, NotFound

LEAN = Path(__file__).parents[4] / "shared/data/reference/A/lean_indicators"
needs_lean = pytest.mark.skipif(not LEAN.is_dir(), reason="LEAN's indicator files are not here")


def daily(close: list[float], high: list[float] | None = None, low: list[float] | None = None) -> Bars:
    """Bars that are not minutes: for arithmetic that does not look at the session."""
    price = np.array(close)
    rows = np.arange(len(price))
    return Bars(
        rows,
        price,
        np.array(high if high is not None else close),
        np.array(low if low is not None else close),
        price,
        np.ones(len(price)),
        np.zeros_like(rows),
        rows,
        rows % 5,
        rows[::-1],
    )


def lean(name: str) -> list[dict[str, str]]:
    with (LEAN / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def compare(ours: np.ndarray, theirs: list[str], tolerance: float, *, skip: int = 0) -> None:
    expected = np.array([float(text) if text else np.nan for text in theirs])
    rows = np.flatnonzero(~np.isnan(expected))[skip:]
    assert len(rows) > 50
    np.testing.assert_allclose(ours[rows], expected[rows], atol=tolerance, rtol=0)


@needs_lean
def test_rsi_equals_leans_file():
    rows = lean("spy_with_indicators.txt")
    bars = daily([float(row["Close"]) for row in rows])
    compare(CORE.feature("rsi_14").values(bars), [row["RSI 14 Wilder"] for row in rows], 0.006)


@needs_lean
def test_bollinger_percent_b_equals_leans_file():
    rows = lean("spy_bollinger_bands.txt")
    bars = daily([float(row["Close"]) for row in rows])
    compare(CORE.feature("bollinger_pct_b").values(bars), [row["%B"] for row in rows], 0.006)


@needs_lean
def test_atr_equals_leans_file():
    rows = lean("spy_atr_wilder.txt")
    columns = [[float(row[name]) for row in rows] for name in ("Close", "High", "Low")]
    bars = daily(*columns)
    ours = CORE.feature("atr_ratio_15")
    fourteen = replace(ours, params={"window": 14}).values(bars) * bars.close
    theirs = next(name for name in rows[0] if "Average True Range" in name or "ATR" in name.upper())
    compare(fourteen, [row[theirs] for row in rows], 0.006, skip=100)


def test_returns_stay_inside_the_session_and_the_night_is_its_own_feature():
    bars = random_bars(5)
    second = int(np.flatnonzero(bars.first)[0])
    r5 = CORE.feature("log_return_5m").values(bars)
    assert r5[second + 2] == np.log(bars.close[second + 2] / bars.open[second])
    assert r5[second + 5] == np.log(bars.close[second + 5] / bars.close[second])
    gap = CORE.feature("overnight_gap").values(bars)
    assert np.isnan(gap[:second]).all()
    assert (gap[second : second + 390] == np.log(bars.open[second] / bars.close[second - 1])).all()


def test_session_vwap_begins_anew_each_morning():
    bars = random_bars(6)
    second = int(np.flatnonzero(bars.first)[0])
    part = slice(second, second + 30)
    typical = (bars.high[part] + bars.low[part] + bars.close[part]) / 3
    vwap = (typical * bars.volume[part]).sum() / bars.volume[part].sum()
    assert CORE.feature("dist_vwap").values(bars)[second + 29] == pytest.approx(
        bars.close[second + 29] / vwap - 1, rel=1e-9
    )


def test_a_market_that_stands_still_has_neutral_values_and_no_nan_after_warm_up():
    still = daily([100.0] * 600)
    still = replace(still, first=np.zeros(600, dtype=np.int64))
    frame = CORE.compute(still).slice(WARM_UP_BARS % 600 + 200).drop("overnight_gap")
    assert frame.null_count().sum_horizontal().item() == 0
    last = frame.row(-1, named=True)
    assert not any(math.isnan(value) for name, value in last.items() if name != "ts")
    assert (last["ibs"], last["bollinger_pct_b"], last["stochastic_k"]) == (0.5, 0.5, 50.0)
    assert (last["return_z_15"], last["vol_ratio_60"], last["obv_slope_20"]) == (0.0, 1.0, 0.0)


def test_a_jump_leaves_nothing_behind_when_it_has_left_the_window():
    still = daily([100.0] * 100 + [137.3, 81.7, 92.11] + [90.0] * 600, low=[99.0] * 102 + [50.0] + [90.0] * 600)
    still = replace(still, high=np.maximum(still.high, still.close), low=np.minimum(still.low, still.close))
    last = CORE.compute(still).drop("overnight_gap").row(-1, named=True)
    assert not any(math.isnan(value) for name, value in last.items() if name != "ts")
    assert (last["realised_vol_30"], last["parkinson_vol_20"], last["vol_ratio_60"]) == (0.0, 0.0, 1.0)
    assert (last["return_z_15"], last["return_z_score_20"], last["vol_adj_mom_20"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(8))  # with seed 4 the plain rolling mean of squares falls below 0
def test_a_still_window_is_exactly_0_whatever_came_before_it(seed):
    rng = np.random.default_rng(seed)
    moves = rng.normal(size=40) * 10.0 ** rng.integers(-5, -1, 40)
    for measure in (rolling.root_mean_square, rolling.std):
        trailing = measure(np.concatenate([moves, np.zeros(25)]), 20)[19:]
        assert (trailing[:-6] > 0).all()
        assert (trailing[-6:] == 0).all()


def test_rolling_sums_keep_their_digits_on_high_prices():
    bars = random_bars(8, price=10_000.0)
    ours = CORE.feature("bollinger_pct_b").values(bars)
    for row in (19, 1_000, len(bars) - 1):
        window = bars.close[row - 19 : row + 1]
        exact = (bars.close[row] - window.mean() + 2 * window.std()) / (4 * window.std())
        assert ours[row] == pytest.approx(exact, rel=1e-9)


def test_a_symbol_without_volume_has_nan_volume_features_and_all_others():
    frame = bars_frame(np.random.default_rng(2)).with_columns(volume=pl.lit(None, dtype=pl.Float64))
    last = CORE.compute(bars_of(usable(frame))).row(-1, named=True)
    without = {name for name, value in last.items() if name != "ts" and math.isnan(value)}
    assert without == {one.name for one in CORE.features if "volume" in one.inputs}


def test_filled_bars_and_bars_outside_regular_hours_are_not_seen():
    frame = bars_frame(np.random.default_rng(3))
    filled = frame.with_columns(
        source=pl.when(pl.int_range(pl.len()) == 700).then(pl.lit("filled")).otherwise("source")
    )
    night = frame.head(1).with_columns(ts=pl.lit(datetime(2024, 6, 25, 2, tzinfo=UTC)).cast(TS))
    seen = usable(pl.concat([filled, night]))
    assert len(seen) == len(frame) - 1
    assert frame["ts"][700] not in seen["ts"]
    assert seen["ts"].is_sorted()


def test_infinite_values_are_refused_with_the_features_name():
    bars = daily([100.0] * 30, low=[0.0] * 30)
    with pytest.raises(InvalidInput, match="parkinson_vol_20 is infinite"), np.errstate(divide="ignore"):
        CORE.compute(bars)


def test_months():
    assert months_between(datetime(2024, 11, 30, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)) == [
        Month(2024, 11),
        Month(2024, 12),
        Month(2025, 1),
    ]
    assert Month.parse("2024-05").end == datetime(2024, 6, 1, tzinfo=UTC)
    assert str(Month(2024, 5)) == "2024-05"


def test_block_equals_the_same_rows_of_the_whole_history_and_forgets_what_is_older():
    frame = usable(
        bars_frame(np.random.default_rng(4), datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
    )
    march = pl.col("ts") >= datetime(2024, 3, 1, tzinfo=UTC)
    before, month = frame.filter(~march), frame.filter(march)
    assert len(before) > WARM_UP_BARS
    block = compute_block(CORE, "TEST", before, month)
    assert block.equals(compute_block(CORE, "TEST", before.tail(WARM_UP_BARS), month))
    some_days = month.head(1_500)
    assert compute_block(CORE, "TEST", before, some_days).equals(block.head(1_500))
    whole = CORE.compute(bars_of(frame)).slice(len(before))
    for name in CORE.columns:
        np.testing.assert_allclose(block[name].to_numpy(), whole[name].to_numpy(), rtol=2e-6, atol=1e-9)


def test_a_set_is_named_by_its_definition():
    changed = FeatureSet("core", (replace(CORE.features[0], params={"lag": 2}), *CORE.features[1:]))
    assert changed.id != CORE.id
    assert len(CORE.features) >= 24
    assert len(set(CORE.columns)) == len(CORE.columns)
    assert feature_set("core") is feature_set(CORE.id) is CORE
    with pytest.raises(NotFound, match="core-00000000"):
        feature_set("core-00000000")
    names = {block_fingerprint(CORE, "SPY", Month(2024, 5), version) for version in ("a", "b")}
    assert len(names) == 2


def test_money_at_a_typical_price_that_only_rounds_differently_is_neither_rising_nor_falling():
    # 543.01 + 542.19 and 543.02 + 542.18 are the same sum, and not the same float
    parts = [(543.01, 542.19), (543.02, 542.18)] * 15
    bars = daily([543.01] * 30, high=[high for high, _ in parts], low=[low for _, low in parts])
    assert len(set(((bars.high + bars.low + bars.close) / 3).tolist())) == 2, "the case this is about"
    assert (FULL.feature("mfi_14").values(bars)[14:] == 50).all()
    assert (FULL.feature("rsi_14").values(bars)[14:] == 50).all(), "nor has the close ever moved"
