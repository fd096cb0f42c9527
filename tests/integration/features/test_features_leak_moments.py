"""Leaks that act on a few bars of a session or a week, each beside its clean twin: a few cuts at random miss them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from test_features_leaks import bars_of_the_exchange

from feature_service.domain.leaks.recompute import Frames, check_function

_NEW_YORK = pl.col("ts").dt.convert_time_zone("America/New_York")
_DAY = _NEW_YORK.dt.date()
_MINUTE = _NEW_YORK.dt.hour().cast(pl.Int64) * 60 + _NEW_YORK.dt.minute() - 570
_CLOSE = pl.col("close")
_LAST = _DAY.shift(-1) != _DAY
_FIRST = _DAY.shift(1) != _DAY
_RETURN = _CLOSE.log().diff()
_RARE = _RETURN.abs() > 4 * _RETURN.rolling_std(390)
_RANGE = (_MINUTE < 5, pl.col("high"), pl.col("low"))


def _opening_range(highest, lowest) -> pl.Expr:
    inside, high, low = _RANGE
    return highest(pl.when(inside).then(high)) - lowest(pl.when(inside).then(low))


_LEAKS = {
    "next open on the session's last bar": pl.when(_LAST).then((pl.col("open").shift(-1) / _CLOSE).log()).otherwise(0),
    "the close of 15:59 at 15:58": pl.when(_MINUTE == 388).then(_CLOSE.shift(-1)).otherwise(_CLOSE),
    "opening range on all of its five minutes": _opening_range(
        lambda high: high.max().over(_DAY), lambda low: low.min().over(_DAY)
    ),
    "Monday's open in Friday's last minutes": pl.when((_DAY.dt.weekday() == 5) & (_MINUTE >= 385))
    .then(pl.when(_FIRST).then(pl.col("open")).backward_fill().shift(-1) / _CLOSE)
    .otherwise(1),
    "next return after a move of 4 sd": pl.when(_RARE).then(_RETURN.shift(-1)).otherwise(0),
}
_TWINS = [
    pl.when(_FIRST).then((pl.col("open") / _CLOSE.shift(1)).log()).otherwise(0),
    pl.when(_MINUTE == 388).then(_CLOSE.shift(1)).otherwise(_CLOSE),
    _opening_range(
        lambda high: high.cum_max().forward_fill().over(_DAY), lambda low: low.cum_min().forward_fill().over(_DAY)
    ),
    pl.when((_DAY.dt.weekday() == 5) & (_MINUTE >= 385))
    .then(pl.when(_FIRST).then(pl.col("open")).forward_fill() / _CLOSE)
    .otherwise(1),
    pl.when(_RARE).then(_RETURN.shift(1)).otherwise(0),
]


@lru_cache
def exchange(symbol: str) -> pl.DataFrame:
    return bars_of_the_exchange(symbol)


def knows(value: pl.Expr, symbol: str) -> bool:
    def function(bars: pl.DataFrame, context: Frames) -> pl.DataFrame:
        del context
        return bars.select("ts", value=value)

    return check_function(function, exchange(symbol), {}, np.random.default_rng(0)).leak


@pytest.mark.parametrize("symbol", ["CALM", "QMKT"])
@pytest.mark.parametrize(("name", "twin"), list(zip(_LEAKS, _TWINS, strict=True)), ids=_LEAKS)
def test_what_leaks_only_at_the_edges_of_sessions_or_after_great_moves_is_found(name, twin, symbol):
    assert (knows(_LEAKS[name], symbol), knows(twin, symbol)) == (True, False)


@pytest.mark.parametrize(("strategy", "leak"), [("forward", True), ("backward", False)])
def test_a_join_that_reaches_for_later_context_is_found_though_the_context_has_every_minute(strategy, leak):
    market = exchange("QMKT")
    assert exchange("CALM").join(market, on="ts", how="anti").is_empty()

    def function(bars: pl.DataFrame, context: Frames) -> pl.DataFrame:
        return bars.select("ts").join_asof(context["market"].select("ts", value="close"), on="ts", strategy=strategy)

    report = check_function(function, exchange("CALM"), {"market": market}, np.random.default_rng(0))
    assert [one.check for one in report.findings if one.leak] == (["context changed"] if leak else [])


def test_a_market_without_nights_is_cut_at_random_and_at_great_moves():
    rows = 3_000
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 1e-3, rows)))
    bars = (
        exchange("QMKT")
        .head(rows)
        .with_columns(ts=exchange("QMKT")["ts"][0] + pl.duration(minutes=pl.int_range(rows)), close=pl.Series(walk))
    )
    rng = np.random.default_rng(0)
    report = check_function(lambda own, _: own.select("ts", value="close"), bars, {}, rng)
    assert [one.detail for one in report.findings] == [
        "8 cuts, no difference",
        "8 cuts at random, 4 beside nights and at great moves, no difference",
    ]
