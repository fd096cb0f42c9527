"""What follows from a market's own prices and predictions, each value from bars at or before its own alone.

A window's first values are NaN until enough lies before them; a comparison with NaN is false, so nothing is traded on
what is not known yet.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.contracts.backtests import Z_LEAST, Signal
from simulation_service.domain.market import Market

Floats = npt.NDArray[np.float64]

#: bars of the average true range that slippage may be a part of
ATR_BARS = 14


def scores(market: Market, signal: Signal) -> Floats:
    """Return what thresholds are compared with: the prediction, of a price its distance from the bar's close."""
    return market.prediction - market.close if signal is Signal.PRICE else market.prediction


def z_scores(values: Floats, bars: int) -> Floats:
    """Return (value - mean) / sd (ddof 1) against the `bars` known values before each one, all of them with 0.

    NaN where the value is missing or fewer than Z_LEAST lie before it. Without any spread before it a value is 0 when
    it equals them and infinite when not.
    """
    out = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) <= Z_LEAST:
        return out
    # sums of differences from the first: of the values themselves they would cancel
    moved = values[known] - values[known[0]]
    ends = np.arange(len(known))
    begins = np.maximum(ends - bars, 0) if bars else np.zeros_like(ends)
    mean, sd = _moments(moved, begins, ends)
    distance = moved - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        equal = np.abs(distance) <= 1e-9 * np.maximum(np.abs(moved), np.abs(mean))
        z = np.where((sd == 0) & equal, 0.0, distance / sd)
    z[ends - begins < Z_LEAST] = np.nan
    out[known] = z
    return out


def rolling_volatility(market: Market, bars: int) -> Floats:
    """Return the sd (ddof 1) of the last `bars` close-to-close log returns inside sessions, up to each bar's own.

    NaN before so many; a session's first bar, which has no return, keeps the value before it.
    """
    inside = np.ones(market.bars, dtype=np.bool_)
    inside[market.starts[:-1]] = False
    rows = np.flatnonzero(inside)
    returns = np.log(market.close[rows] / market.close[rows - 1])
    ends = np.arange(1, len(rows) + 1)
    found = np.full(len(rows), np.nan)
    enough = ends >= bars
    found[enough] = _moments(returns, ends[enough] - bars, ends[enough])[1]
    last = np.cumsum(inside) - 1
    return np.where(last >= 0, found[last], np.nan) if len(rows) else np.full(market.bars, np.nan)


def volatility_ratio(market: Market, bars: int) -> Floats:
    """Return the rolling volatility over the mean of its values so far, its own included: 1 in usual times."""
    volatility = rolling_volatility(market, bars)
    known = np.isfinite(volatility)
    with np.errstate(divide="ignore", invalid="ignore"):
        return volatility / (np.cumsum(np.where(known, volatility, 0.0)) / np.cumsum(known))


def true_range_before(market: Market, bars: int = ATR_BARS) -> Floats:
    """Return the mean true range of the `bars` bars before each one, of fewer at the start; the first has its own.

    The true range is max(high - low, |high - previous close|, |low - previous close|) inside a session (Wilder 1978),
    high - low on its first bar.
    """
    previous = np.concatenate([market.close[:1], market.close[:-1]])
    first = market.starts[:-1]
    previous[first] = market.low[first]
    ranges = np.maximum(market.high, previous) - np.minimum(market.low, previous)
    sums = np.concatenate([[0.0], np.cumsum(ranges)])
    ends = np.arange(market.bars)
    begins = np.maximum(ends - bars, 0)
    with np.errstate(invalid="ignore"):
        found = (sums[ends] - sums[begins]) / (ends - begins)
    found[0] = ranges[0]
    # a difference of sums may end a rounding below nothing
    return np.maximum(found, 0.0)


def _moments(values: Floats, begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return mean and sd (ddof 1) of values[begin:end] for each pair; NaN for fewer than two."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values * values)])
    count = (ends - begins).astype(np.float64)
    total = sums[ends] - sums[begins]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        spread = squares[ends] - squares[begins] - total * mean
        # below this the spread is rounding of the sums it is a difference of
        spread[spread < 1e-15 * squares[ends]] = 0.0
        return mean, np.sqrt(spread / (count - 1.0))
