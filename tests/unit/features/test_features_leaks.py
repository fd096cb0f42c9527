"""The leak detector: every planted leak found, no clean twin accused, and what each kind of evidence can see."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl
from planted_leaks import PLANTED

from feature_service.domain.bars import bars_of, usable
from feature_service.domain.catalogue import CORE
from feature_service.domain.leaks.column import Detector
from feature_service.domain.leaks.recompute import check_function
from feature_service.domain.leaks.vintages import check_vintages
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


def test_every_planted_leak_is_found_and_no_clean_twin_is_accused():
    table = list[str]()
    wrong = list[str]()
    for planted in PLANTED:
        marks = [_marks(one) for one in (planted.leaky, planted.clean)]
        table.append(f"{planted.name:32s} " + " | ".join("  ".join(f"{m!s:5s}" for m in row) for row in marks))
        expected = ([True, planted.dated, planted.bare], [False, False, False])
        wrong += [planted.name for got, wanted in zip(marks, expected, strict=True) if got != wanted]
    print(f"\n{'':32s} leak: function vintages column | twin: the same", *table, sep="\n")  # noqa: T201 - the table
    assert not wrong
    assert len(PLANTED) >= 20


def _marks(function) -> list[bool]:
    column = function(*market())
    return [by_function(function), by_vintages(function), by_column(column)]
