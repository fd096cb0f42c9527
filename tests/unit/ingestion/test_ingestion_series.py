"""Adjusted and longer bars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ingestion_service.domain.actions import (
    Adjustment,
    Chapter,
    Kind,
    adjusted,
    chapters,
    from_factors,
    impossible_dividends,
    with_factors,
)
from ingestion_service.domain.comparing import compare
from ingestion_service.domain.splits import suspected_splits
from ingestion_service.domain.timeframes import Timeframe, resampled
from shared.contracts.datasets import CORPORATE_ACTIONS
from shared.contracts.splits import trading_days
from shared.testing.markets import reverting_bars

REAL = Path(__file__).parents[4] / "shared" / "data"
needs_real_bars = pytest.mark.skipif(not REAL.is_dir(), reason="the real bars at ../shared/data are not here")
BARS = reverting_bars("SPY", datetime(2024, 11, 18, tzinfo=UTC), datetime(2024, 12, 7, tzinfo=UTC), seed=3)


def actions(*rows: tuple) -> pl.DataFrame:
    """Rows of kind, ex-date, value, factor, former."""
    return pl.DataFrame(
        [("SPY", kind, day, value, factor, former, "test") for kind, day, value, factor, former in rows],
        schema=CORPORATE_ACTIONS.schema,
        orient="row",
    )


def test_bars_before_a_split_are_scaled_and_later_ones_are_as_traded():
    split = actions(("split", date(2024, 11, 25), 4.0, None, None))
    found = adjusted(BARS, trading_days(BARS["ts"]), split, Adjustment.SPLIT)
    before = BARS["ts"] < datetime(2024, 11, 25, tzinfo=UTC)
    assert_frame_equal(found.filter(~before), BARS.filter(~before))
    for name, factor in (("open", 0.25), ("low", 0.25), ("close", 0.25), ("volume", 4.0)):
        assert found.filter(before)[name].to_list() == (BARS.filter(before)[name] * factor).to_list()
    assert_frame_equal(adjusted(BARS, trading_days(BARS["ts"]), split, Adjustment.RAW), BARS)


def test_dividends_count_only_in_all_and_follow_from_the_close_before():
    both = actions(("dividend", date(2024, 11, 25), 2.0, None, None), ("split", date(2024, 11, 25), 2.0, None, None))
    known = with_factors(both, {date(2024, 11, 25): 100.0})
    assert known["factor"].to_list() == [0.96, None]  # 2.00 for a new share are 4.00 for an old one
    days = trading_days(BARS["ts"])
    split, everything = (adjusted(BARS, days, known, how)["close"] for how in (Adjustment.SPLIT, Adjustment.ALL))
    assert np.allclose(everything[:100] / split[:100], 0.96)
    assert with_factors(both, {})["factor"].to_list() == [1.0, None]  # nothing before it, nothing to scale


def test_a_dividend_that_is_not_below_the_close_adjusts_nothing_and_is_told():
    day, later = date(2024, 11, 25), date(2024, 11, 26)
    both = actions(
        ("dividend", day, 50.0, None, None), ("dividend", later, 80.0, None, None), ("split", day, 2.0, None, None)
    )
    closes = {day: 100.0, later: 81.0}
    assert with_factors(both, closes)["factor"].to_list() == [1.0, pytest.approx(1 / 81), None]
    (told,) = impossible_dividends(both, closes)
    assert (told.ex_date, told.cash, told.close_before) == (day, 100.0, 100.0)  # for an old share


def test_a_day_begins_at_midnight_in_new_york():
    late = pl.Series([datetime(2024, 11, 26, 0, 30, tzinfo=UTC)]).dt.cast_time_unit("us")
    assert trading_days(late).to_list() == [date(2024, 11, 25)]


def test_renames_are_chapters_of_one_history():
    renames = {
        "META": actions(("rename", date(2022, 6, 9), None, None, "FB")),
        "FB": actions(("rename", date(2012, 5, 18), None, None, "OLD"), ("rename", date(2023, 1, 3), None, None, "X")),
    }
    found = chapters("META", lambda name: renames.get(name, actions()))
    first, second = datetime(2012, 5, 18, 4, tzinfo=UTC), datetime(2022, 6, 9, 4, tzinfo=UTC)
    assert found == [Chapter("OLD", None, first), Chapter("FB", first, second), Chapter("META", second, None)]
    circle = {"A": actions(("rename", date(2022, 1, 3), None, None, "B")), "B": actions()}
    circle["B"] = actions(("rename", date(2021, 1, 4), None, None, "A"))
    there, back = datetime(2021, 1, 4, 5, tzinfo=UTC), datetime(2022, 1, 3, 5, tzinfo=UTC)
    assert chapters("A", circle.__getitem__) == [
        Chapter("A", None, there), Chapter("B", there, back), Chapter("A", back, None),
    ]  # fmt: skip
    assert chapters("B", circle.__getitem__) == [Chapter("A", None, there), Chapter("B", there, None)]


@needs_real_bars
@pytest.mark.parametrize("symbol", ["SPY", "AAPL", "IBM"])
def test_adjusted_real_days_are_raw_ones_times_their_factors(symbol):
    raw = pl.read_parquet(REAL / "bars_1d" / "A" / "lean_raw" / f"{symbol}.parquet").cast({"volume": pl.Float64})
    factors = pl.read_parquet(REAL / "corp_actions" / "A" / "lean_factors" / f"{symbol}.parquet").sort("date")
    known, days = from_factors(symbol, factors, "files"), raw["ts"].dt.date()
    row = np.searchsorted(factors["date"].to_physical(), days.to_physical())
    split, price = factors["split_factor"].to_numpy()[row], factors["price_factor"].to_numpy()[row]
    for how, factor in ((Adjustment.SPLIT, split), (Adjustment.ALL, split * price)):
        found = adjusted(raw, days, known, how)
        for name in ("open", "high", "low", "close"):
            # the file's factors have seven digits, and the smallest is 0.0089
            np.testing.assert_allclose(found[name], raw[name] * factor, rtol=6e-6)
    np.testing.assert_allclose(adjusted(raw, days, known, Adjustment.ALL)["volume"] * split, raw["volume"], rtol=6e-6)


@needs_real_bars
def test_apple_is_continuous_over_its_split_of_seven():
    raw = pl.read_parquet(REAL / "bars_1d" / "A" / "lean_raw" / "AAPL.parquet").cast({"volume": pl.Float64})
    factors = pl.read_parquet(REAL / "corp_actions" / "A" / "lean_factors" / "AAPL.parquet")
    known, days = from_factors("AAPL", factors, "files"), raw["ts"].dt.date()
    splits = known.filter(pl.col("kind") == Kind.SPLIT.value).select("ex_date", "value").rows()
    assert splits == [
        (date(2000, 6, 21), 2.0), (date(2005, 2, 28), 2.0), (date(2014, 6, 9), 7.0), (date(2020, 8, 31), 4.0),
    ]  # fmt: skip
    first = int((days < date(2014, 6, 9)).sum())
    steps = {
        how: float(np.log(bars["open"][first] / bars["close"][first - 1]))
        for how in Adjustment
        for bars in [adjusted(raw, days, known, how)]
    }
    assert steps[Adjustment.RAW] < -1.9
    assert abs(steps[Adjustment.SPLIT]) < 0.01
    # without the file each of the four is suspected; so is the crash of 2000-09-29, which halved the price overnight
    crash = (date(2000, 9, 29), 2.0)
    assert [(s.ex_date, s.ratio) for s in suspected_splits(raw, days, known.clear())] == sorted([*splits, crash])
    assert [(s.ex_date, s.ratio) for s in suspected_splits(raw, days, known)] == [crash]


@needs_real_bars
def test_no_step_of_real_minutes_looks_like_a_split():
    for file in sorted((REAL / "bars_1m" / "A").glob("*/*.parquet")):
        bars = pl.read_parquet(file).with_columns(pl.col("volume").cast(pl.Float64), source=pl.lit("files"))
        daily = resampled(bars.sort("ts"), file.stem, Timeframe.D1)
        assert suspected_splits(daily, trading_days(daily["ts"]), actions()) == [], file


def test_longer_bars_begin_with_their_session_and_end_with_it():
    four_hours = resampled(BARS, "SPY", Timeframe.H4)
    half = four_hours.filter(pl.col("ts").dt.date() == date(2024, 11, 29))
    full = four_hours.filter(pl.col("ts").dt.date() == date(2024, 11, 27))
    assert half["ts"].to_list() == [datetime(2024, 11, 29, 14, 30, tzinfo=UTC)]
    assert [f"{ts:%H:%M}" for ts in full["ts"]] == ["14:30", "18:30"]
    minutes = BARS.filter(pl.col("ts").dt.date() == date(2024, 11, 27))
    assert full.row(0, named=True) | {"symbol": 0, "source": 0} == {
        "symbol": 0, "ts": minutes["ts"][0], "open": minutes["open"][0], "high": minutes["high"][:240].max(),
        "low": minutes["low"][:240].min(), "close": minutes["close"][239], "volume": minutes["volume"][:240].sum(),
        "source": 0,
    }  # fmt: skip


def test_days_and_weeks():
    night = BARS.head(1).with_columns(pl.col("ts") - timedelta(hours=3), high=1e6)
    days = resampled(pl.concat([night, BARS]), "SPY", Timeframe.D1)
    assert days.height == 14  # Thanksgiving is none; the pre-market bar is in no day
    assert days["high"].max() < 1e6
    weeks = resampled(BARS, "SPY", Timeframe.W1)
    assert [f"{ts:%a %d}" for ts in weeks["ts"]] == ["Mon 18", "Mon 25", "Mon 02"]
    tuesday_on = resampled(BARS.filter(pl.col("ts") > datetime(2024, 11, 19, tzinfo=UTC)), "SPY", Timeframe.W1)
    assert tuesday_on["ts"][0] == weeks["ts"][0]  # a week begins with its first session, whether or not it traded


@pytest.mark.parametrize("timeframe", [frame for frame in Timeframe if frame is not Timeframe.M1])
@pytest.mark.parametrize("symbol", ["SPY", "BTCUSD"])
def test_nothing_is_lost_between_minutes_and_longer_bars(symbol, timeframe):
    found = resampled(BARS, symbol, timeframe)
    assert found.schema == BARS.schema
    assert found["ts"].is_sorted()
    assert found["ts"].is_unique().all()
    assert found["volume"].sum() == pytest.approx(BARS["volume"].sum())
    assert (found["high"].max(), found["low"].min()) == (BARS["high"].max(), BARS["low"].min())
    assert (found["open"][0], found["close"][-1]) == (BARS["open"][0], BARS["close"][-1])


def test_volume_is_unknown_only_where_no_minute_has_one_and_sources_are_named():
    mixed = BARS.with_columns(
        volume=pl.when(pl.int_range(pl.len()) < 400).then(None).otherwise("volume"),
        source=pl.when(pl.int_range(pl.len()) < 10).then(pl.lit("b")).otherwise(pl.lit("a")),
    )
    days = resampled(mixed, "SPY", Timeframe.D1)
    assert days["volume"].is_null().to_list()[:2] == [True, False]
    assert days["source"].to_list()[:2] == ["a+b", "a"]


def test_a_second_provider_is_believed_only_where_it_fits_its_surroundings():
    noisy = BARS.with_columns(pl.col("close") * 1.0002)
    assert compare(BARS, noisy).contradicted.is_empty()
    far = pl.int_range(pl.len()).is_in([50, 900])
    ours = BARS.with_columns(pl.when(far).then(pl.col("high") * 1.05).otherwise("high").alias("high"))
    found = compare(ours, noisy)
    assert found.contradicted.to_list() == [BARS["ts"][50], BARS["ts"][900]]
    assert found.minutes == BARS.height
    assert compare(BARS, ours).contradicted.is_empty()  # theirs is the odd one
    assert compare(ours, ours).contradicted.is_empty()  # both are
    assert compare(BARS, BARS.clear()).minutes == 0
