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

Measured on 0.96 million real minutes of 33 symbols, the most extreme honest bars in regular hours were 17 ordinary
bars where bars come every minute, 42 where they do not, and 3.8 ranges where they moved more than 2 %. A bar with
fewer than three bars on either side is not judged until they come.

A **stale** bar repeats open, high, low, close and volume of the minute before: a feed that stands still. Two equal bars
in a row happen; the run is stale from the second repeat when the price moves inside the bar, from the fourth when it
does not, and from the thirtieth when there is no volume to compare either (an index may stand still). The first bar of
the run is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

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
#: the least a bar is taken to span: a hundredth of a percent
_LEAST_SPAN = 1e-4
#: repeats from which a run is stale: bars that move, bars that do not, bars without volume that do not
_STALE_MOVING, _STALE_FLAT, _STALE_SILENT = 2, 4, 30
_DAY_US = 86_400_000_000

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def spikes(bars: pl.DataFrame, *, always_open: bool = False) -> Bools:
    """Return which of `bars` (ts, open, high, low, close; sound, ascending) are spikes; shape (n,).

    always_open : the market has no sessions (crypto), so all hours are regular
    """
    found = np.zeros(bars.height, dtype=np.bool_)
    if bars.height <= 2 * FEWEST:
        return found
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    ts_us = bars["ts"].to_physical().to_numpy()
    span = np.maximum(np.log(high / low), np.abs(np.diff(np.log(close), prepend=np.log(close[0]))))
    candidates = _candidates(bars)
    regular = _regular(ts_us[candidates]) | always_open
    for row, in_session in zip(candidates.tolist(), regular.tolist(), strict=True):
        found[row] = _is_spike(row, in_session=in_session, ts_us=ts_us, high=high, low=low, close=close, span=span)
    return found


def stale(bars: pl.DataFrame) -> Bools:
    """Return which of `bars` (ts, open, high, low, close, volume; ascending) repeat the bar before; shape (n,)."""
    values = ("open", "high", "low", "close", "volume")
    repeats = pl.all_horizontal(
        pl.col("ts").diff().dt.total_microseconds() == MINUTE_US,
        *(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in values),
    ).fill_null(value=False)
    limit = (
        pl.when(pl.col("high") > pl.col("low"))
        .then(_STALE_MOVING)
        .when(pl.col("volume").is_not_null())
        .then(_STALE_FLAT)
        .otherwise(_STALE_SILENT)
    )
    judged = bars.lazy().with_columns(repeats=repeats).with_columns(run=pl.col("repeats").rle_id(), limit=limit)
    return judged.select(pl.col("repeats") & (pl.len().over("run") >= pl.col("limit"))).collect().to_series().to_numpy()


def _candidates(bars: pl.DataFrame) -> Int64Array:
    """Return rows that can be spikes at all, cheaply: a level is never beyond the extremes of its closes."""
    close, least = pl.col("close"), 1 + _DENSE_LIMIT[0]

    def before_and_after(extreme: str) -> list[pl.Expr]:
        rolling = getattr(close, f"rolling_{extreme}")(LEVEL, min_samples=1)
        backwards = getattr(close.reverse(), f"rolling_{extreme}")(LEVEL, min_samples=1).reverse()
        return [rolling.shift(1), backwards.shift(-1)]

    above = pl.col("high") > least * pl.max_horizontal(before_and_after("min"))
    below = pl.col("low") * least < pl.min_horizontal(before_and_after("max"))
    rows = bars.lazy().select((above | below).fill_null(value=False).arg_true()).collect().to_series()
    return rows.to_numpy().astype(np.int64)


def _is_spike(
    row: int, *, in_session: bool, ts_us: Int64Array, high: Floats, low: Floats, close: Floats, span: Floats
) -> bool:
    begin, end = max(row - LEVEL, 0), row + 1 + LEVEL
    before, after = close[begin:row], close[row + 1 : end]
    if min(len(before), len(after)) < FEWEST:
        return False
    levels = (float(np.median(before)), float(np.median(after)))
    deviation = float(np.log(max(high[row] / max(levels), min(levels) / low[row])))
    around = (span[max(row - ORDINARY, 0) : row], span[row + 1 : row + 1 + ORDINARY])
    times = deviation / max(_LEAST_SPAN, *(float(np.median(side)) for side in around))
    # one side will do: at the open and the close the other one lies a night away
    waits = ((ts_us[row] - ts_us[begin]) / len(before), (ts_us[min(end, len(ts_us)) - 1] - ts_us[row]) / len(after))
    dense = min(waits) <= _DENSE * MINUTE_US
    ranges = deviation / max(_LEAST_SPAN, *(float(np.log(side.max() / side.min())) for side in (before, after)))
    if in_session and all(value > least for value, least in zip((deviation, times, ranges), _ALONE, strict=True)):
        return True
    limit = (_DENSE_LIMIT if dense else _SPARSE_LIMIT) if in_session else _OFF_HOURS_LIMIT
    return any(deviation > least and times > bars for least, bars in (limit, _ANYWHERE))


def _regular(ts_us: Int64Array) -> Bools:
    if not len(ts_us):
        return np.zeros(0, dtype=np.bool_)
    return sessions_between(int(ts_us[0]) - _DAY_US, int(ts_us[-1]) + MINUTE_US).index_of(ts_us) >= 0
