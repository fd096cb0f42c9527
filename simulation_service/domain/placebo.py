"""The placebo: the same trades at random times, to see what is left of a strategy without its timing.

A draw gives each session's trades to a random session that has room for them, in random order, with random pauses;
each keeps its side, its holding time in bars, its costs as a fraction of its entry, and never overlaps another.
Positions held overnight make the whole window one session. Only bars that traded are filled.

Both the real trades and the drawn ones are compounded as if shares were divisible, so the real figure differs from
the account's by rounding to whole shares. A trade that a stop ended is replayed with its holding time, not its stop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.contracts.backtests import Fill
from simulation_service.domain.market import Market

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LEAST = -0.999999


@dataclass(frozen=True, kw_only=True)
class Trades:
    """A run's trades in order, each array of shape (trades,).

    entry, exit : rows of the fill bars; side : 1 or -1; at_close : left at the exit bar's close
    costs : fraction of the entry's value; earned : return after costs, a fraction of the entry's value
    """

    entry: Ints
    exit: Ints
    side: Ints
    at_close: npt.NDArray[np.bool_]
    costs: Floats
    earned: Floats

    def __len__(self) -> int:
        return len(self.entry)


@dataclass(frozen=True, kw_only=True)
class Placebo:
    """Total returns of the draws, shape (draws,), ascending; and the real trades' among them."""

    seed: int
    real: float
    drawn: Floats

    @property
    def percentile(self) -> float:
        """Percent of the draws that earned less than the real trades, ties counting half."""
        below = (self.drawn < self.real).sum() + 0.5 * (self.drawn == self.real).sum()
        return float(100.0 * below / len(self.drawn))

    @property
    def p_value(self) -> float:
        """Chance of at least the real return at random times: (1 + draws at least as good) / (1 + draws)."""
        return float((1 + (self.drawn >= self.real).sum()) / (1 + len(self.drawn)))


def placebo(market: Market, trades: Trades, *, fill: Fill, overnight: bool, draws: int, seed: int) -> Placebo:
    """Draw `draws` placebos of these trades; the same seed gives the same draws. `trades` must not be empty."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(market.fillable)
    starts = np.searchsorted(rows, market.starts)
    if overnight:
        starts = np.array([0, len(rows)])
    room = np.diff(starts)
    # in rows that traded: where a trade stood, and how long
    entry, left = np.searchsorted(rows, trades.entry), np.searchsorted(rows, trades.exit)
    held = left - entry
    session = np.searchsorted(starts, entry, side="right") - 1
    schedules = [np.flatnonzero(session == one) for one in np.unique(session)]
    taken = np.array([np.maximum(held[trade], 1).sum() for trade in schedules])
    at = _sessions_with_room(rng, taken, room, draws)
    price = {
        Fill.OPEN: market.open,
        Fill.MIDPOINT: 0.5 * (market.high + market.low),
        Fill.CLOSE: market.close,
    }[fill]
    log_growth = np.zeros(draws)
    for number, trade in enumerate(schedules):
        length = np.maximum(held[trade], 1)
        order = rng.permuted(np.tile(np.arange(len(trade)), (draws, 1)), axis=1)
        lengths = length[order]
        slack = np.maximum(room[at[:, number]] - 1 - taken[number], 0)
        pauses = np.floor(np.sort(rng.random((draws, len(trade))), axis=1) * (slack[:, None] + 1)).astype(np.int64)
        begin = starts[at[:, number]][:, None] + pauses + np.cumsum(lengths, axis=1) - lengths
        last = (starts[at[:, number] + 1] - 1)[:, None]
        end = np.minimum(begin + held[trade][order], last)
        begin = np.minimum(begin, last)
        paid = np.where(trades.at_close[trade][order], market.close[rows[end]], price[rows[end]])
        gross = trades.side[trade][order] * (paid / price[rows[begin]] - 1.0)
        log_growth += np.log1p(np.maximum(gross - trades.costs[trade][order], _LEAST)).sum(axis=1)
    return Placebo(
        seed=seed,
        real=float(np.expm1(np.log1p(np.maximum(trades.earned, _LEAST)).sum())),
        drawn=np.sort(np.expm1(log_growth)),
    )


def _sessions_with_room(rng: np.random.Generator, taken: Ints, room: Ints, draws: int) -> Ints:
    """Return for each draw a different session for each schedule, one that has room; shape (draws, schedules).

    The longest schedule chooses first. Each has room in its own session, so the i-th longest finds at least i that
    fit, of which i - 1 are gone; and since whoever comes later fits wherever one before fitted, every assignment is
    as likely as any other.
    """
    if taken.max() < room.min():
        return rng.permuted(np.tile(np.arange(len(room)), (draws, 1)), axis=1)[:, : len(taken)]
    at = np.zeros((draws, len(taken)), dtype=np.int64)
    free = np.ones((draws, len(room)), dtype=np.bool_)
    for schedule in np.argsort(-taken, kind="stable"):
        # one that trades on every bar, the last included, takes as much as its session has
        fits = free & (room >= taken[schedule])
        at[:, schedule] = np.where(fits, rng.random(fits.shape), -1.0).argmax(axis=1)
        free[np.arange(draws), at[:, schedule]] = False
    return at
