"""Level of detail: as many bars as a screen can show, from as many as there are.

1. The span's bars are grouped into the finest of 1, 2, 5, 10, 15, 30, 65, 130 or 390 minutes, counted from each
   session's open, that gives no more than the wanted number of groups. A group never spans two sessions.
   Bars outside regular hours are grouped by the clock in the same way, a day at most; so are all of a market without
   sessions.
2. If whole sessions are still too many, neighbouring sessions are joined evenly.
3. A group's open is its first open, its close the last close, its volume the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between

MAX_BARS = 2_500
_STEPS = (1, 2, 5, 10, 15, 30, 65, 130, 390)
_DAY_US = 86_400_000_000

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candles:
    """Bars as columns, each of shape (n,); `ts_us` is the first minute of each group, volume is NaN where unknown."""

    ts_us: Int64Array
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array

    def __len__(self) -> int:
        return len(self.ts_us)


def condense(bars: Candles, wanted: int = MAX_BARS, *, always_open: bool = False) -> Candles:
    """Return at most `wanted` (1..2500) candles that together are `bars` (ascending by time).

    always_open : the market has no sessions (crypto)
    """
    if len(bars) <= wanted:
        return bars
    starts = np.arange(len(bars))
    for step in _STEPS:
        if len(bars) > wanted * step and step < _STEPS[-1]:
            continue  # a group holds no more than `step` bars, so there are too many of them
        starts = np.flatnonzero(np.diff(_group(bars.ts_us, step, always_open=always_open), prepend=-1))
        if len(starts) <= wanted:
            break
    return _reduced(bars, starts[:: -(-len(starts) // wanted)])


def _group(ts_us: Int64Array, step: int, *, always_open: bool) -> Int64Array:
    """Return the start of the group each bar belongs to; shape (n,)."""
    width = step * MINUTE_US
    by_clock = ts_us - ts_us % (width if step < 390 else _DAY_US)
    if always_open:
        return by_clock
    sessions = sessions_between(int(ts_us[0]) - _DAY_US, int(ts_us[-1]) + MINUTE_US)
    if not len(sessions):
        return by_clock
    row = sessions.index_of(ts_us)
    opened = sessions.open_us[np.maximum(row, 0)]
    return np.where(row >= 0, opened + (ts_us - opened) // width * width, by_clock)


def _reduced(bars: Candles, starts: Int64Array) -> Candles:
    ends = np.append(starts[1:], len(bars)) - 1
    return Candles(
        ts_us=bars.ts_us[starts],
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[ends],
        volume=np.add.reduceat(bars.volume, starts),
    )
