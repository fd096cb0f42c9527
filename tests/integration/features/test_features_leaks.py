"""The leak detector: every planted leak found, no clean twin accused, and what each kind of evidence can see."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from planted_leaks import PLANTED

from feature_service.domain.bars import bars_of, usable
from feature_service.domain.catalogue import CORE, FULL
from feature_service.domain.leaks.column import Detector
from feature_service.domain.leaks.recompute import check_function
from feature_service.domain.leaks.signatures import full_sample
from feature_service.domain.leaks.vintages import check_vintages
from shared.errors import InvalidInput
from simulated_exchange.market import Market

START, END = datetime(2023, 1, 3, tzinfo=UTC), datetime(2023, 2, 11, tzinfo=UTC)


def bars_of_the_exchange(symbol: str, start: datetime = START, end: datetime = END) -> pl.DataFrame:
    frame = Market(7).bars(symbol, start, end)
    named = frame.select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))
    return usable(named.with_columns(source=pl.lit("test"))).drop("source")


@lru_cache
def market() -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """A symbol that lacks a minute in eight, and a market whose prints are revised two days later."""
    other = bars_of_the_exchange("QMKT").with_columns(known_at=pl.col("ts") + timedelta(minutes=1))
    noise = np.random.default_rng(3).normal(0, 2e-4, other.height)
    revised = other.with_columns(pl.col("close") * np.exp(noise), pl.col("known_at") + timedelta(days=2))
    return bars_of_the_exchange("CALM"), {"market": pl.concat([other, revised])}


@lru_cache
def detector() -> Detector:
    bars = bars_of(market()[0])
    return Detector(bars, {one.name: one.values(bars) for one in CORE.features})


def by_column(column: pl.DataFrame) -> bool:
    kept = column.drop_nulls()
    return detector().check(kept["ts"].to_physical().to_numpy(), kept["value"].to_numpy()).leak


def by_vintages(function) -> bool:
    """Compare the column of today with the ones of two mornings, before the session's extremes were seen."""
    bars, context = market()
    opens = bars["ts"].dt.truncate("1d").unique().sort() + timedelta(hours=14, minutes=40)
    whole, found = function(bars, context), False
    for moment in (opens[18], opens[24]):
        then = {"market": context["market"].filter(pl.col("known_at") <= moment + timedelta(minutes=1))}
        found |= check_vintages(function(bars.filter(pl.col("ts") <= moment), then), whole).leak
    return found


def by_function(function) -> bool:
    bars, context = market()
    return check_function(function, bars, context, np.random.default_rng(1), cuts=4).leak


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.name)
def test_every_planted_leak_is_found_and_no_clean_twin_is_accused(planted):
    """By function, by vintages and by the column alone."""
    assert _marks(planted.leaky) == [True, planted.dated, planted.bare]
    assert _marks(planted.clean) == [False, False, False]


def test_many_kinds_of_leaks_are_planted():
    assert len(PLANTED) >= 20


def _marks(function) -> list[bool]:
    column = function(*market())
    return [by_function(function), by_vintages(function), by_column(column)]


def test_no_feature_of_the_core_set_is_accused_though_its_market_can_be_forecast():
    """EDGE has a planted, honest edge: what knows it is no leak."""
    bars = bars_of(bars_of_the_exchange("EDGE"))
    columns = {one.name: one.values(bars) for one in CORE.features}
    looking = Detector(bars, columns)
    accused = {name: looking.check(bars.ts_us, values) for name, values in columns.items()}
    assert not [name for name, report in accused.items() if report.leak]


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["EDGE", "FLAT", "CALM", "QMKT"])
def test_no_feature_of_the_catalogue_is_accused_on_three_months(symbol):
    bars = bars_of(bars_of_the_exchange(symbol, START, datetime(2023, 4, 1, tzinfo=UTC)))
    columns = {one.name: one.values(bars) for one in FULL.features}
    looking = Detector(bars, columns)
    # stored as float32, as a person would bring them
    reports = {name: looking.check(bars.ts_us, values.astype(np.float32)) for name, values in columns.items()}
    assert not [name for name, report in reports.items() if report.leak]


def test_a_difference_of_a_column_that_stays_near_is_not_taken_for_a_scaled_one():
    """Its sum is its end less its beginning, so its mean is all but 0."""
    rng = np.random.default_rng(0)
    near = signal_near(rng, len(detector().bars))
    changes = np.diff(near, prepend=near[-1] + 1e-2)
    assert abs(changes.mean() / changes.std()) < 2e-6
    assert not detector().check(detector().bars.ts_us, changes).leak


def signal_near(rng: np.random.Generator, rows: int) -> np.ndarray:
    noise, level = rng.normal(size=rows), np.zeros(rows)
    for row in range(1, rows):
        level[row] = 0.5 * level[row - 1] + noise[row]
    return level


@pytest.mark.parametrize("fill", ["interpolated", "forward"])
def test_silences_of_twenty_minutes_hide_no_interpolation(fill):
    whole, _ = market()
    minute = whole["ts"].dt.epoch("us").to_numpy() // 60_000_000
    bars = bars_of(whole.filter(pl.Series(minute % 30 < 10)))
    y = np.log(bars.close)
    before = np.searchsorted(bars.ts_us, ts := minute * 60_000_000, side="right") - 1
    column = np.interp(ts, bars.ts_us, y) if fill == "interpolated" else y[np.maximum(before, 0)]
    looking = Detector(bars, {})
    assert looking.check(ts, column).leak is (fill == "interpolated")


def test_ranks_among_all_rows_are_told_though_many_values_are_equal():
    bars = detector().bars
    volume = pd.Series(np.round(bars.volume, -2))
    assert detector().check(bars.ts_us, volume.rank(pct=True).to_numpy()).leak
    assert not detector().check(bars.ts_us, volume.rolling(390).rank(pct=True).to_numpy()).leak


def test_minutes_to_the_close_are_no_share_of_a_session_though_two_sessions_are_short():
    minute, day = np.tile(np.arange(390.0), 60), np.repeat(np.arange(60), 390)
    there = (minute < 210) | ~np.isin(day, (7, 31))
    left = np.where(np.isin(day, (7, 31)), 209 - minute, 389 - minute)[there]
    assert not full_sample(left, minute[there], day[there]).leak
    volume = np.random.default_rng(0).gamma(2.0, size=len(left))
    share = volume / np.bincount(day[there], volume)[day[there]]
    assert full_sample(share, minute[there], day[there]).leak


def test_means_over_days_older_than_the_bars_that_are_looked_at_are_told():
    bars = market()[0]
    minute = pd.Series(bars_of(bars).minute)
    means = pd.Series(np.log(bars["close"].to_numpy())).diff().shift(-1).groupby(minute).transform("mean").to_numpy()
    late = bars_of(bars.tail(8_000))
    looking = Detector(late, {}, bars_of(bars))
    assert looking.check(bars["ts"].to_physical().to_numpy(), means).leak


def test_a_verdict_needs_enough_of_a_column():
    bars = detector().bars
    with pytest.raises(InvalidInput, match="needs at least 2000 values in 20 sessions"):
        detector().check(bars.ts_us[:3_000], np.arange(3_000.0))


def test_the_same_function_gets_the_same_verdict():
    once, again = (check_function(PLANTED[0].leaky, *market(), np.random.default_rng(1), cuts=2) for _ in range(2))
    assert once == again
