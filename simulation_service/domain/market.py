"""What a simulation reads: one symbol's bars inside regular hours, and the prediction known at each bar's close."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from shared.contracts.sessions import Sessions, all_sessions
from shared.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
States = npt.NDArray[np.int8]

#: Time-of-day slots: 0 is the night before the session, 1 + m is minute m of it. Regular hours have 390 minutes.
SLOTS = 391
#: regime states are 0 to this; -1 is unknown
LAST_STATE = 127


@dataclass(frozen=True, kw_only=True)
class Market:
    """Bars of one symbol, sorted by time, all inside regular hours. Made by `market_of`.

    ts_us, minute : int64 of shape (bars,); start of the bar, and minutes since its session's open
    open, high, low, close : float64 of shape (bars,); finite and positive
    prediction : float64 of shape (bars,); known at the bar's CLOSE; NaN where the model said nothing
    fillable : bool of shape (bars,); False for bars a gap filler made: nothing traded there
    starts : int64 of shape (sessions + 1,); first bar of each session, then the number of bars
    closing : int64 of shape (sessions,); last fillable bar of each session, -1 where there is none
    last_minute : int64 of shape (sessions,); the last scheduled minute, from the calendar: 389, or 209 on half days
    session : datetime64[D] of shape (sessions,)

    Who brings what. The caller hands in what only stored data can say: `volume`, `regimes` and `bot_probability`,
    each only when a setting or the costs read it, since all that is handed in is part of `data_version`. What
    follows from prices and predictions (volatility, z-scores, true ranges) the engine works out itself for the
    windows that the settings name, from bars at or before the one it belongs to: domain/series.py.

    volume : float64 of shape (bars,) in shares; NaN where unknown
    regimes : by column name, int8 of shape (bars,): the state known at the bar's CLOSE, 0..127; -1 unknown
    bot_probability : float64 of shape (bars,): the meta-model's probability, known at the bar's CLOSE, that the
        base model is right there; from a fit on out-of-sample predictions of earlier folds alone; NaN unknown
    day_orders : whether a decision dies with its session (minutes) or is filled in the next one (daily bars)
    """

    ts_us: Ints
    minute: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    prediction: Floats
    fillable: Bools
    starts: Ints
    closing: Ints
    last_minute: Ints
    session: npt.NDArray[np.datetime64]
    #: static portfolio's building blocks: return of each slot in each session, shape (SLOTS, sessions)
    slot_return: Floats = field(repr=False)
    #: in how many sessions each slot has a return, shape (SLOTS,)
    slot_count: Ints = field(repr=False)
    volume: Floats | None = None
    regimes: Mapping[str, States] = field(default_factory=dict[str, States])
    bot_probability: Floats | None = None
    day_orders: bool = True

    @property
    def bars(self) -> int:
        return len(self.ts_us)

    @property
    def sessions(self) -> int:
        return len(self.session)

    @property
    def buy_hold_return(self) -> float:
        """From the first bar's open to the last bar's close, without costs."""
        return float(self.close[-1] / self.open[0] - 1.0)

    @property
    def data_version(self) -> str:
        """SHA-256 over every number a simulation reads.

        Over the content and not the files it came from: appending later predictions to the same file leaves the
        version of an earlier window as it was.
        """
        digest = hashlib.sha256()
        for array in (self.ts_us, self.open, self.high, self.low, self.close, self.prediction, self.fillable):
            digest.update(np.ascontiguousarray(array).tobytes())
        extra = {"volume": self.volume, "bot": self.bot_probability}
        extra |= {f"regime {name}": states for name, states in sorted(self.regimes.items())}
        extra |= {} if self.day_orders else {"orders outlive the day": self.fillable}
        for name, array in extra.items():
            if array is not None:
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def market_of(  # noqa: PLR0913 - one a column
    *,
    ts_us: Ints,
    open: Floats,  # noqa: A002 - the bar's own word
    high: Floats,
    low: Floats,
    close: Floats,
    prediction: Floats,
    fillable: Bools,
    sessions: Sessions | None = None,
    volume: Floats | None = None,
    regimes: Mapping[str, States] | None = None,
    bot_probability: Floats | None = None,
    day_orders: bool = True,
) -> Market:
    """Return the market of these minute bars; those outside regular hours are left out.

    All arrays have shape (bars,), `ts_us` ascending. NaN is allowed in `prediction`, `volume`, `bot_probability`.
    Raises InvalidInput when no bar lies inside regular hours, or a price is not finite and positive.
    """
    calendar = sessions or all_sessions()
    row = calendar.index_of(ts_us)
    inside = row >= 0
    if not inside.any():
        raise InvalidInput(f"none of the {len(ts_us)} bars lies inside regular trading hours")
    row, ts_us = row[inside], ts_us[inside]
    changes = np.flatnonzero(np.diff(row)) + 1
    starts = np.concatenate([[0], changes, [len(row)]]).astype(np.int64)
    held = row[starts[:-1]]
    return _checked(
        ts_us=ts_us,
        minute=calendar.minute_of(ts_us),
        prices=np.stack([open[inside], high[inside], low[inside], close[inside]]),
        prediction=prediction[inside],
        fillable=fillable[inside],
        starts=starts,
        last_minute=calendar.minutes[held] - 1,
        session=calendar.date[held],
        volume=None if volume is None else volume[inside],
        regimes={name: states[inside] for name, states in (regimes or {}).items()},
        bot_probability=None if bot_probability is None else bot_probability[inside],
        day_orders=day_orders,
    )


def daily_market_of(  # noqa: PLR0913 - one a column
    *,
    session: npt.NDArray[np.datetime64],
    open: Floats,  # noqa: A002 - the bar's own word
    high: Floats,
    low: Floats,
    close: Floats,
    prediction: Floats,
    volume: Floats | None = None,
    regimes: Mapping[str, States] | None = None,
    bot_probability: Floats | None = None,
) -> Market:
    """Return the market of daily bars: each is a session of one bar, and orders outlive the day.

    Arrays as in `market_of`; `session` is datetime64[D] of shape (bars,), ascending. Raises InvalidInput as it does.
    """
    bars = len(session)
    return _checked(
        ts_us=session.astype("datetime64[us]").astype(np.int64),
        minute=np.zeros(bars, dtype=np.int64),
        prices=np.stack([open, high, low, close]),
        prediction=prediction,
        fillable=np.ones(bars, dtype=np.bool_),
        starts=np.arange(bars + 1, dtype=np.int64),
        last_minute=np.zeros(bars, dtype=np.int64),
        session=session.astype("datetime64[D]"),
        volume=volume,
        regimes=dict(regimes or {}),
        bot_probability=bot_probability,
        day_orders=False,
    )


def _checked(  # noqa: PLR0913 - one a column
    *,
    ts_us: Ints,
    minute: Ints,
    prices: Floats,
    prediction: Floats,
    fillable: Bools,
    starts: Ints,
    last_minute: Ints,
    session: npt.NDArray[np.datetime64],
    volume: Floats | None,
    regimes: Mapping[str, States],
    bot_probability: Floats | None,
    day_orders: bool,
) -> Market:
    """Return the market of these columns. Raises InvalidInput at a price or a state that cannot be one."""
    bad = ~(np.isfinite(prices) & (prices > 0)).all(axis=0)
    if bad.any():
        first = int(np.argmax(bad))
        raise InvalidInput(
            f"{int(bad.sum())} bars have prices that are not positive numbers, the first at "
            f"{ts_us[first].astype('datetime64[us]')}: open, high, low, close = {prices[:, first].tolist()}"
        )
    for name, states in regimes.items():
        if len(states) and (states.min() < -1 or states.max() > LAST_STATE):
            raise InvalidInput(f"regime {name!r} has states {states.min()} to {states.max()}: use -1 to {LAST_STATE}")
    tradable = fillable.astype(np.bool_)
    slot_return, slot_count = _slots(prices[0], prices[3], minute, starts)
    return Market(
        ts_us=ts_us,
        minute=minute,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        prediction=np.ascontiguousarray(prediction, dtype=np.float64),
        fillable=tradable,
        starts=starts,
        closing=_last_true(tradable, starts),
        last_minute=last_minute,
        session=session,
        slot_return=slot_return,
        slot_count=slot_count,
        volume=None if volume is None else np.ascontiguousarray(volume, dtype=np.float64),
        regimes={name: np.ascontiguousarray(states, dtype=np.int8) for name, states in regimes.items()},
        bot_probability=None if bot_probability is None else np.ascontiguousarray(bot_probability, dtype=np.float64),
        day_orders=day_orders,
    )


def _last_true(flags: Bools, starts: Ints) -> Ints:
    """Return the last row with a true flag in each block, -1 where there is none."""
    rows = np.where(flags, np.arange(len(flags)), -1)
    return np.maximum.reduceat(rows, starts[:-1]).astype(np.int64)


def _slots(opens: Floats, closes: Floats, minute: Ints, starts: Ints) -> tuple[Floats, Ints]:
    """Return (returns of shape (SLOTS, sessions), sessions that have each slot of shape (SLOTS,)).

    Within a session a bar earns from the close before it; the first bar from its own open, and what lies between
    the sessions belongs to slot 0, so a strategy that is flat overnight is never compared with the overnight move.
    """
    previous = np.concatenate([opens[:1], closes[:-1]])
    first = starts[:-1]
    previous[first] = opens[first]
    session = np.repeat(np.arange(len(first)), np.diff(starts))
    returns = np.zeros((SLOTS, len(first)))
    returns[minute + 1, session] = closes / previous - 1.0
    returns[0, 1:] = opens[first[1:]] / closes[first[1:] - 1] - 1.0
    count = np.bincount(minute + 1, minlength=SLOTS).astype(np.int64)
    count[0] = max(len(first) - 1, 0)
    return returns, count
