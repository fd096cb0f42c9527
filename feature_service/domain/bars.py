"""One symbol's regular-hours bars as arrays, with the place of each bar in its session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Self, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from shared.contracts.sessions import MINUTE_US, Sessions, sessions_between

FloatArray = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

#: bars.source of rows that were made up to close a gap; they are never seen by a feature
FILLED = "filled"
_DAY_US = 86_400_000_000
#: 1970-01-01 was a Thursday; Monday is 0
_EPOCH_WEEKDAY = 3

#: what a scheduled estimation left behind: arrays by name
Fitted = Mapping[str, FloatArray]
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Bars:
    """Ascending regular-hours bars; every array has shape (n,).

    ts_us : bar START in microseconds since the epoch, UTC
    open, high, low, close : prices, finite and positive
    volume : shares; NaN where the source has none
    first : index of the first bar of the same session in these arrays
    minute : minutes since the session's open, 0 for its first minute
    weekday : 0 Monday ... 4 Friday
    remaining : minutes from the bar's end to its session's scheduled close, 0 for its last minute
    context : other symbols' bars by role ("volatility", "market"), never later than the last bar here; a role whose
        symbols have no bars is absent
    fits : what was estimated on the past alone, by the fit's name; absent where the past was too short
    """

    ts_us: Int64Array
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    first: Int64Array
    minute: Int64Array
    weekday: Int64Array
    remaining: Int64Array
    context: Mapping[str, Bars] = field(default_factory=dict[str, "Bars"])
    fits: Mapping[str, Fitted] = field(default_factory=dict[str, Fitted])
    _made: dict[tuple[object, ...], object] = field(
        default_factory=dict[tuple[object, ...], object], init=False, repr=False, compare=False
    )

    def __len__(self) -> int:
        return len(self.ts_us)

    def head(self, rows: int) -> Self:
        """Return the first `rows` bars: what was known when the last of them closed."""
        last = self.ts_us[rows - 1] if rows else np.iinfo(np.int64).min
        context = {
            role: bars.head(int(np.searchsorted(bars.ts_us, last, side="right"))) for role, bars in self.context.items()
        }
        return replace(self, context=context, **{name: getattr(self, name)[:rows] for name in _columns()})

    def once(self, make: Callable[..., _Made], *key: float | str) -> _Made:
        """Return `make(self, *key)`, computed once for these bars: what several features share.

        `make` is a function of a module, so that the same one is asked for each time.
        """
        name = (make, *key)
        if name not in self._made:
            self._made[name] = make(self, *key)
        return cast("_Made", self._made[name])

    def beside(self, context: Mapping[str, Bars], fits: Mapping[str, Fitted]) -> Self:
        """Return these bars with other symbols' bars and the results of fits at hand."""
        return replace(self, context=context, fits=fits)


def sessions(bars: Bars) -> tuple[Int64Array, Int64Array]:
    """Return of each session its first row and how many bars it has."""
    starts = np.flatnonzero(bars.first == np.arange(len(bars)))
    return starts, np.diff(starts, append=len(bars))


def _columns() -> list[str]:
    return [one.name for one in fields(Bars) if one.name not in {"context", "fits", "_made"}]


def usable(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a bars frame that features may see: regular hours, not filled, with prices.

    Rows come back ascending by `ts`. Filled bars repeat an old price and would look like real minutes without
    movement; bars outside regular hours belong to no session.
    """
    if frame.is_empty():
        return frame
    frame = frame if frame["ts"].is_sorted() else frame.sort("ts")
    inside = pl.Series(_sessions_of(frame["ts"].to_physical().to_numpy())[0] >= 0)
    whole = pl.all_horizontal(pl.col("open", "high", "low", "close").is_finite().fill_null(value=False))
    return frame.filter((pl.col("source") != FILLED) & whole & inside)


def _sessions_of(ts: Int64Array) -> tuple[Int64Array, Sessions]:
    """Return for ascending instants the row of the session each falls in, -1 outside regular hours; and sessions."""
    span = (int(ts[0]) - _DAY_US, int(ts[-1]) + _DAY_US) if len(ts) else (0, 0)
    sessions = sessions_between(*span)
    # few sessions are looked up among many bars, not the other way round
    opens, closes = np.searchsorted(ts, sessions.open_us), np.searchsorted(ts, sessions.close_us)
    row = np.full(len(ts), -1)
    for session, (first, end) in enumerate(zip(opens.tolist(), closes.tolist(), strict=True)):
        row[first:end] = session
    return row, sessions


def bars_of(frame: pl.DataFrame) -> Bars:
    """Return the arrays of a frame of `usable` rows (columns ts, open, high, low, close, volume)."""
    ts = frame["ts"].to_physical().to_numpy().astype(np.int64)
    if not len(ts):
        rows = np.empty(0, dtype=np.int64)
        nothing = np.empty(0)
        return Bars(ts, nothing, nothing, nothing, nothing, nothing, rows, rows, rows, rows)
    session, sessions = _sessions_of(ts)
    minute = (ts - sessions.open_us[session]) // MINUTE_US
    first = np.flatnonzero(np.diff(session, prepend=-1))
    volume = frame["volume"].cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True)
    return Bars(
        ts_us=ts,
        open=frame["open"].to_numpy(writable=True),
        high=frame["high"].to_numpy(writable=True),
        low=frame["low"].to_numpy(writable=True),
        close=frame["close"].to_numpy(writable=True),
        volume=volume,
        first=np.repeat(first, np.diff(first, append=len(ts))),
        minute=minute,
        weekday=(ts // _DAY_US + _EPOCH_WEEKDAY) % 7,
        remaining=sessions.minutes[session] - minute - 1,
    )
