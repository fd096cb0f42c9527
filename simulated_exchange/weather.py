"""What all symbols of one year share: the sessions, the volatility of each minute, the market's own innovations.

1. The year's sessions come from the exchange calendar, half days included.
2. Daily volatility is log-AR(1), and days are calm or stormy (a two-state Markov chain).
3. A day's volatility is spread over its minutes by a U: high at the open, low at noon, higher towards the close.
4. Days lean slightly up (bull) or down (bear), again by a two-state chain.
5. The market's minute innovations are Student-t with 4 degrees of freedom, scaled to unit variance.

Every array of minutes has the shape (sessions, 390); the minutes a half day does not have hold values that are
generated and never shown, so that a day's numbers do not depend on the lengths of others.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from shared.contracts.sessions import Sessions, sessions_between

MINUTES = 390
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weather:
    """One year of what is common to all symbols.

    volatility : relative volatility of each minute, mean square 1 / 390 on an average day; (sessions, 390)
    drift      : log return per session of the market, small; (sessions,)
    market     : unit-variance innovations of the market; (sessions, 390)
    gap        : unit-variance overnight innovation of the market before each session; (sessions,)
    level      : relative volatility of each day; (sessions,)
    """

    sessions: Sessions
    volatility: Array
    drift: Array
    market: Array
    gap: Array
    level: Array


def stream(seed: int, name: str, year: int) -> np.random.Generator:
    """Return the random stream of `name` in `year`: the same in every process, whatever was asked before."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode()), year]))


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return Student-t(4) draws scaled to unit variance (the variance of t with 4 degrees of freedom is 2)."""
    return rng.standard_t(4, size=shape) / np.sqrt(2.0)


def weather_of(seed: int, year: int) -> Weather:
    """Return the common part of `year`."""
    rng = stream(seed, "weather", year)
    start, end = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 for y in (year, year + 1))
    sessions = sessions_between(start, end)
    days = len(sessions)
    level = _log_ar1(rng, days, phi=0.92, sd=0.12)
    stormy = _two_states(rng, days, enter=0.02, leave=0.08)
    level = level * np.where(stormy, 1.5, 0.9)
    bear = _two_states(rng, days, enter=0.02, leave=0.05)
    return Weather(
        sessions=sessions,
        volatility=level[:, None] * smile()[None, :] / np.sqrt(MINUTES),
        drift=np.where(bear, -2e-4, 2e-4),
        market=heavy_tailed(rng, (days, MINUTES)),
        gap=heavy_tailed(rng, (days,)),
        level=level,
    )


def smile() -> Array:
    """Return the U shape of intraday volatility, mean square 1; shape (390,)."""
    minute = np.arange(MINUTES)
    shape = 0.75 + 1.1 * np.exp(-minute / 35.0) + 0.55 * np.exp(-(MINUTES - 1 - minute) / 30.0)
    return shape / np.sqrt(np.mean(shape**2))


def _log_ar1(rng: np.random.Generator, days: int, *, phi: float, sd: float) -> Array:
    """Return exp of a stationary AR(1), starting from its own law; shape (days,)."""
    shocks = rng.standard_normal(days) * sd
    values = np.empty(days)
    value = shocks[0] / np.sqrt(1 - phi**2)
    for day in range(days):
        value = value if day == 0 else phi * value + shocks[day]
        values[day] = value
    return np.exp(values)


def _two_states(rng: np.random.Generator, days: int, *, enter: float, leave: float) -> npt.NDArray[np.bool_]:
    """Return a two-state Markov chain, starting from its stationary law; True is the rarer state."""
    draws = rng.random(days)
    states = np.empty(days, dtype=bool)
    state = bool(draws[0] < enter / (enter + leave))
    for day in range(days):
        if day > 0:
            state = bool(draws[day] >= leave) if state else bool(draws[day] < enter)
        states[day] = state
    return states
