"""Level of detail: as many bars as a screen can show, from as many as there are.

1. The span's bars are grouped into the finest of 1, 2, 5, 10, 15, 30, 65, 130 or 390 minutes, counted from each
   session's open, that gives no more than the wanted number of groups. A group never spans two sessions. Of longer
   bars only lengths that hold whole ones are taken: no group is longer than it says.
   Bars outside regular hours are grouped by the clock in the same way, a day at most; so are all of a market without
   sessions.
2. If whole sessions are still too many, neighbouring sessions are joined evenly.
3. A group's open is its first open, its close the last close, its volume the sum.
4. The groups say how long they are, as timeframes are spelt: "65m"; of joined sessions, "5d".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between

MAX_BARS = 2_500
_STEPS = (1, 2, 5, 10, 15, 30, 65, 130, 390)
_DAY_US = 86_400_000_000
#: minutes of a session in each unit of length
_MINUTES = {"m": 1, "h": 60, "d": _STEPS[-1], "w": _STEPS[-1]}

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candles:
    """Bars as columns, each of shape (n,); `ts_us` is the first minute of each group, volume is NaN where unknown.

    length : of one bar: "1m", "65m", "1h", "5d", "1w"; a day is a session, where there are any
    """

    ts_us: Int64Array
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    length: str = "1m"

    def __len__(self) -> int:
        return len(self.ts_us)


def condense(bars: Candles, wanted: int = MAX_BARS, *, always_open: bool = False) -> Candles:
    """Return at most `wanted` (1..2500) candles that together are `bars` (ascending by time).

    always_open : the market has no sessions (crypto)
    """
    if len(bars) <= wanted:
        return bars
    minutes = int(bars.length[:-1]) * _MINUTES[bars.length[-1]]
    for step in [step for step in _STEPS[:-1] if step % minutes == 0]:
        if len(bars) * minutes > wanted * step:
            continue  # a group holds no more than `step` minutes, so there are too many of them
        starts = _starts(bars.ts_us, step, always_open=always_open)
        if len(starts) <= wanted:
            return _reduced(bars, starts, f"{step}m")
    starts = _starts(bars.ts_us, _STEPS[-1], always_open=always_open)
    joined = starts[:: -(-len(starts) // wanted)]
    # bars before and after the session are groups of their own, so groups do not tell how many days were joined
    unit, counted = ("w", len(starts)) if bars.length[-1] == "w" else ("d", len(np.unique(bars.ts_us // _DAY_US)))
    return _reduced(bars, joined, f"{max(round(counted / len(joined)), 1)}{unit}")


def _starts(ts_us: Int64Array, step: int, *, always_open: bool) -> Int64Array:
    """Return the row at which each group begins."""
    return np.flatnonzero(np.diff(_group(ts_us, step, always_open=always_open), prepend=-1))


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


def _reduced(bars: Candles, starts: Int64Array, length: str) -> Candles:
    ends = np.append(starts[1:], len(bars)) - 1
    return Candles(
        ts_us=bars.ts_us[starts],
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[ends],
        volume=np.add.reduceat(bars.volume, starts),
        length=length,
    )
