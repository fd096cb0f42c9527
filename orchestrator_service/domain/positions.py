"""Positions by minute from trades, for the day permutation: what each day's positions earn on every day's returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from shared.contracts.messages import Fill
from shared.contracts.sessions import Sessions

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

#: minutes of a full session; a half day's missing ones are flat
MINUTES = 390
#: share of its fill bar that a position filled there is held
_HELD_FROM = {Fill.OPEN: 1.0, Fill.MIDPOINT: 0.5, Fill.CLOSE: 0.0}


@dataclass(frozen=True)
class Trade:
    """One round trip: starts of its fill bars, +1 long or -1 short, and whether it left at the close of its day."""

    entry: datetime
    exit: datetime
    direction: int
    left_at_close: bool


def minute_returns(sessions: Sessions, ts_us: Int64s, opens: Floats, closes: Floats) -> Floats:
    """Return open-to-next-open returns by session and minute, shape (T, 390); 0 where no bar starts.

    The last bar of a session earns open to close: nothing is held overnight. Bars outside the sessions are ignored.
    """
    row, minute = sessions.index_of(ts_us), sessions.minute_of(ts_us)
    inside = row >= 0
    row, minute, first, last = row[inside], minute[inside], opens[inside], closes[inside]
    leaves = np.append(first[1:], np.nan)
    ends = np.append(row[1:] != row[:-1], True)
    out = np.zeros((len(sessions), MINUTES))
    out[row, minute] = np.where(ends, last, leaves) / first - 1
    return out


def positions(sessions: Sessions, trades: Sequence[Trade], fill: Fill) -> Floats:
    """Return the position held in each minute of each session, shape (T, 390), in -1..1.

    A trade must enter and leave within one session, as every setting that is flat at the close does.
    """
    out = np.zeros((len(sessions), MINUTES))
    if not trades:
        return out
    entry, leave = _micros([trade.entry for trade in trades]), _micros([trade.exit for trade in trades])
    days = sessions.index_of(entry)
    begins, ends = sessions.minute_of(entry), sessions.minute_of(leave)
    held = _HELD_FROM[fill]
    for trade, day, first, last in zip(trades, days, begins, ends, strict=True):
        if day < 0:
            continue
        out[day, first:last] += trade.direction
        out[day, first] -= trade.direction * (1 - held)
        out[day, last] += trade.direction * (1.0 if trade.left_at_close else 1 - held)
    return out


def _micros(moments: Sequence[datetime]) -> Int64s:
    return np.array([round(moment.timestamp()) * 1_000_000 for moment in moments], dtype=np.int64)
