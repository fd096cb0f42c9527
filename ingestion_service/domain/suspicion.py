"""Bars that are well formed and still cannot be: spikes and stale repeats, judged by the bars around them.

A **spike** is a bar whose high or low stands outside the level before it and the level after it, on the same side.
A level is the median close of the 7 nearest bars, so up to three bad bars in a row do not hide each other, and a move
that lasts is no spike, however large. How far is too far is measured in the ordinary bar of that time of day: the
larger of the median spans (log high/low, or the move from the bar before) of the 20 bars before and the 20 after.

    in regular hours, bars every minute    more than 1 % and 30 ordinary bars
    in regular hours, bars missing         more than 1 % and 60 ordinary bars
    in regular hours, standing alone       more than 2 %, 8 ordinary bars and 6 times the range of either level's closes
    outside regular hours                  more than 20 % and 30 ordinary bars: single prints far off are real there
    anywhere                               more than 30 % and 15 ordinary bars

In regular hours a smaller error shows in how its bars begin and end: up to three bars are spikes too when they open a
leap away from the close before and the next bar opens as far back. Prices walk; a bar of the market's is joined to
its neighbours at one end at least.

    bars every minute                      leaps of more than 2 % and 5 ordinary bars
    bars missing                           leaps of more than 3 % and 8 ordinary bars

Measured on 0.96 million real minutes of 33 symbols, the most extreme honest bars in regular hours were 17 ordinary
bars where bars come every minute, 42 where they do not, and 3.8 ranges where they moved more than 2 %; their largest
leaps there and back were 1.5 % and 2.4 %. A bar with fewer than three bars on either side is not judged until they
come.

A **stale** bar repeats open, high, low, close and volume of the minute before, or of the bar before when the price
moves inside it: a feed that stands still. Two equal bars in a row happen; the run is stale from the second repeat when
the price moves inside the bar, from the fourth when it does not, and from the thirtieth when there is no volume to
compare either: none, or always 0 (a quiet index repeats itself, and a cheap one has few prices to choose from). The
first bar of the run is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from ingestion_service.domain.moments import DAY_US
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between

#: bars of a level, of the ordinary bar, and fewest on either side to judge by
LEVEL, ORDINARY, FEWEST = 7, 20, 3
#: bars that judging one can need on either side
REACH = ORDINARY + 1
#: bars come every minute when the 7 before or the 7 after take no more than 9 minutes
_DENSE = 1.3
#: (log deviation, ordinary bars) beyond which a bar is a spike
_DENSE_LIMIT, _SPARSE_LIMIT, _OFF_HOURS_LIMIT, _ANYWHERE = (0.01, 30.0), (0.01, 60.0), (0.2, 30.0), (0.3, 15.0)
#: (log deviation, ordinary bars, ranges of the levels' closes) beyond which a bar in regular hours stands alone
_ALONE = (0.02, 8.0, 6.0)
#: (log leap there and back, ordinary bars) beyond which bars in regular hours are apart, and how many at most
_DENSE_LEAP, _SPARSE_LEAP, _LEAPS = (0.02, 5.0), (0.03, 8.0), (1, 2, 3)
#: the least a bar is taken to span: a hundredth of a percent
_LEAST_SPAN = 1e-4
#: repeats from which a run is stale: bars that move, bars that do not, bars without volume
_STALE_MOVING, _STALE_FLAT, _STALE_SILENT = 2, 4, 30

Bools = npt.NDArray[np.bool_]


def spikes(bars: pl.DataFrame) -> Bools:
    """Return which of `bars` (symbol, ts, open, high, low, close; sound, sorted by symbol and time) are spikes.

    Shape (n,). A symbol is judged by its own bars alone. A coin's market has no sessions: its hours are all regular.
    """
    ts_us = bars["ts"].to_physical().to_numpy()
    coins = [symbol for symbol in bars["symbol"].unique() if crypto_pair(symbol)]
    close = pl.col("close").log()
    move = pl.max_horizontal((pl.col("high") / pl.col("low")).log(), close.diff().over("symbol").abs())
    logs = bars.lazy().select(
        "symbol",
        open=pl.col("open").log(),
        close=close,
        high=pl.col("high").log(),
        low=pl.col("low").log(),
        move=move,
        at=pl.col("ts").to_physical(),
        regular=pl.col("symbol").is_in(coins) | pl.lit(pl.Series(_regular(ts_us), dtype=pl.Boolean)),
    )
    levels, ordinary = _both_sides("close", "median", LEVEL, FEWEST), _both_sides("move", "median", ORDINARY, 1)
    ranges = [
        high - low
        for high, low in zip(
            _both_sides("close", "max", LEVEL, FEWEST), _both_sides("close", "min", LEVEL, FEWEST), strict=True
        )
    ]
    # one side will do: at the open and the close the other one lies a night away
    waits = ((pl.col("at") - pl.col("at").shift(LEVEL)), (pl.col("at").shift(-LEVEL) - pl.col("at")))
    judged = logs.select(
        "symbol",
        "regular",
        known=pl.all_horizontal(level.is_not_null() for level in levels),
        deviation=pl.max_horizontal(
            pl.col("high") - pl.max_horizontal(levels), pl.min_horizontal(levels) - pl.col("low")
        ),
        ordinary=pl.max_horizontal(pl.lit(_LEAST_SPAN), *ordinary),
        range=pl.max_horizontal(pl.lit(_LEAST_SPAN), *ranges),
        dense=pl.min_horizontal(wait.over("symbol") for wait in waits) <= _DENSE * LEVEL * MINUTE_US,
        **{f"leap_{bars}": _leap(bars).over("symbol") for bars in _LEAPS},
    )
    found = judged.select(pl.col("known") & (_too_far() | _apart())).collect().to_series()
    return found.fill_null(value=False).to_numpy()


def stale(bars: pl.DataFrame) -> Bools:
    """Return which of `bars` (as in `spikes`, and volume) repeat the bar before; shape (n,)."""
    values = ("symbol", "open", "high", "low", "close", "volume")
    moving = (pl.col("high") > pl.col("low")) & (pl.col("volume") > 0)
    repeats = pl.all_horizontal(
        (pl.col("ts").diff().dt.total_microseconds() == MINUTE_US) | moving,
        *(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in values),
    ).fill_null(value=False)
    limit = (
        pl.when(pl.col("volume").fill_null(0) == 0)
        .then(_STALE_SILENT)
        .when(pl.col("high") > pl.col("low"))
        .then(_STALE_MOVING)
        .otherwise(_STALE_FLAT)
    )
    judged = bars.lazy().with_columns(repeats=repeats).with_columns(run=pl.col("repeats").rle_id(), limit=limit)
    return judged.select(pl.col("repeats") & (pl.len().over("run") >= pl.col("limit"))).collect().to_series().to_numpy()


def _both_sides(column: str, what: str, length: int, fewest: int) -> list[pl.Expr]:
    """Return a rolling figure of the `length` bars of a symbol before each bar, and after it; null below `fewest`."""

    def rolling(values: pl.Expr) -> pl.Expr:
        return getattr(values, f"rolling_{what}")(length, min_samples=fewest)

    sides = (rolling(pl.col(column)).shift(1), rolling(pl.col(column).reverse()).reverse().shift(-1))
    return [side.over("symbol") for side in sides]


def _leap(bars: int) -> pl.Expr:
    """Return how far `bars` bars from this one on open off the close before, and the next opens off their last close.

    The smaller of both, where they go opposite ways.
    """
    there, back = (
        pl.col("open") - pl.col("close").shift(1),
        pl.col("close").shift(1 - bars) - pl.col("open").shift(-bars),
    )
    return pl.max_horizontal(pl.min_horizontal(there, back), pl.min_horizontal(-there, -back))


def _beyond(column: str, limit: tuple[float, float]) -> pl.Expr:
    least, times = limit
    return (pl.col(column) > least) & (pl.col(column) > times * pl.col("ordinary"))


def _too_far() -> pl.Expr:
    """Return whether a deviation is beyond one of the limits of its hours."""
    least, times, ranges = _ALONE
    alone = _beyond("deviation", (least, times)) & (pl.col("deviation") > ranges * pl.col("range"))
    dense, sparse = (_beyond("deviation", limit) for limit in (_DENSE_LIMIT, _SPARSE_LIMIT))
    regular = pl.when("dense").then(dense).otherwise(sparse) | alone
    off_hours, anywhere = (_beyond("deviation", limit) for limit in (_OFF_HOURS_LIMIT, _ANYWHERE))
    return pl.when("regular").then(regular).otherwise(off_hours) | anywhere


def _apart() -> pl.Expr:
    """Return whether a bar in regular hours is one of those that leap away and back, and is itself off the levels."""
    among: list[pl.Expr] = []
    for bars in _LEAPS:
        dense, sparse = (_beyond(f"leap_{bars}", limit) for limit in (_DENSE_LEAP, _SPARSE_LEAP))
        begins = (pl.col("regular") & pl.when("dense").then(dense).otherwise(sparse)).fill_null(value=False)
        among += [begins.shift(later, fill_value=False).over("symbol") for later in range(bars)]
    return pl.any_horizontal(among) & (pl.col("deviation") > _DENSE_LEAP[0])


def _regular(ts_us: Int64Array) -> Bools:
    if not len(ts_us):
        return np.zeros(0, dtype=np.bool_)
    return sessions_between(int(ts_us.min()) - DAY_US, int(ts_us.max()) + MINUTE_US).index_of(ts_us) >= 0
