"""The second set of books: a run's figures worked out again from its trades and its account alone.

Every run that someone opens passes through here before it is shown, so a page never shows trades that do not add up
to the figures above them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.contracts.backtests import Fill, Metrics, Setting
from simulation_service.domain import columns as c
from simulation_service.domain.engine import Detail, Terms, account_of, mean_positions, static_portfolio
from simulation_service.domain.market import SLOTS, Market
from simulation_service.domain.metrics import daily_returns, metrics_of, tally_of_returns

Floats = npt.NDArray[np.float64]


def metrics_from(
    market: Market, setting: Setting, terms: Terms, detail: Detail, *, baseline: Floats | None = None
) -> Metrics:
    """Return the figures of `detail` without using any sum the walk made.

    Sums run in the walk's order (`cumsum` adds one by one), so the figures are equal to the last bit.
    """
    trades, before, after = detail.trades, *_sides(detail)
    share = _share_before(setting)
    over = share * np.abs(before) + (1.0 - share) * np.abs(after)
    held_on = (before != 0) & _not_first(market)
    moved = np.concatenate([[0.0], np.diff(market.close)])
    counted = held_on & (moved != 0)
    tally = tally_of_returns(trades[:, c.RETURN].tolist())
    tally[c.WINS] = (trades[:, c.PNL] > 0).sum()
    tally[c.DRAWDOWN] = _drawdown(detail.equity, terms.starting_cash)
    tally[c.COSTS] = _sum(trades[:, c.TRADE_COSTS])
    tally[c.IN_MARKET] = _sum(over)
    tally[c.HITS], tally[c.HIT_BARS] = (counted & ((moved > 0) == (before > 0))).sum(), counted.sum()
    tally[c.FINAL] = detail.equity[-1]
    tally[c.TRADED] = _sum(trades[:, c.SHARES] * (trades[:, c.ENTRY_PRICE] + trades[:, c.EXIT_PRICE]))
    tally[c.LONGEST] = _longest(trades[:, c.PNL] <= 0)
    earned = daily_returns(detail.equity[market.starts[1:] - 1], terms.starting_cash)
    own = mean_positions(_held(market, setting, before, after)[None, :], market)
    alpha = earned - static_portfolio(market, own if baseline is None else baseline)[0]
    return metrics_of(tally[None, :], earned[None, :], alpha[None, :], account_of(market, terms))[0]


def _sides(detail: Detail) -> tuple[Floats, Floats]:
    """Return (side held into each bar, side held after its order filled: stops and the close come later)."""
    after = np.sign(detail.shares)
    before = np.concatenate([[0.0], after[:-1]])
    closed = detail.trades[np.isin(detail.trades[:, c.REASON], (c.BY_CLOSE, c.BY_STOP, c.BY_PROFIT, c.BY_BUST))]
    after[closed[:, c.EXIT].astype(np.int64)] = closed[:, c.DIRECTION]
    return before, after


def _share_before(setting: Setting) -> float:
    """Return the part of a fill bar that belongs to the side held before the fill."""
    return {Fill.OPEN: 0.0, Fill.MIDPOINT: 0.5, Fill.CLOSE: 1.0}[setting.fill]


def _not_first(market: Market) -> npt.NDArray[np.bool_]:
    rows = np.ones(market.bars, dtype=np.bool_)
    rows[market.starts[:-1]] = False
    return rows


def _held(market: Market, setting: Setting, before: Floats, after: Floats) -> Floats:
    """Return the position summed over sessions by slot of the day; shape (SLOTS,)."""
    over = _share_before(setting) * before + (1.0 - _share_before(setting)) * after
    held = np.zeros(SLOTS)
    np.add.at(held, market.minute + 1, over)
    held[0] = before[market.starts[:-1]].sum()
    return held


def _drawdown(equity: Floats, starting_cash: float) -> float:
    peak = np.maximum.accumulate(np.concatenate([[starting_cash], equity]))[1:]
    return min(float((equity / peak - 1.0).min()), 0.0)


def _sum(values: Floats) -> float:
    return float(np.cumsum(values)[-1]) if len(values) else 0.0


def _longest(flags: npt.NDArray[np.bool_]) -> int:
    """Return the length of the longest run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
