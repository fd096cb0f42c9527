"""What a simulated setting earned: every figure's definition and source.

Figures come from a `Tally`, filled either by the kernel while it walks or by `tally_of` from the recorded trades
and account; both add in the same order, so both give the same bits. Undefined is None, never 0 in its stead.

| figure | definition |
| --- | --- |
| total_return | final equity / starting cash - 1, all costs paid |
| buy_hold_return | last close / first open of the window - 1, no costs |
| sharpe | mean / sd (ddof 1) of daily returns, flat days included, x sqrt(252); no risk-free rate (Sharpe 1994) |
| max_drawdown | lowest equity / running peak - 1 over all bars, the starting cash being the first peak |
| sqn | sqrt(N) mean(R) / sd(R), ddof 1, R = trade return after costs: the t-statistic of the mean trade (Tharp) |
| sqn100 | the same with N capped at 100 under the root (Tharp's normalised form) |
| profit_factor | sum of winning R / -sum of losing R; on returns, so later trades of a grown account weigh the same |
| win_rate | share of trades with a profit after costs |
| hit_rate | of the bars held into the next bar of their session, the share whose close moved the position's way; |
| | unchanged closes are left out |
| exposure | mean of abs(position) over all bars; the fill bar counts for the part the position was held over it |
| costs_paid | fees and half spreads of all fills, in currency |
| timing_alpha | daily return minus the static portfolio of the setting's own mean position by minute of the day |
| timing_alpha_t | sqrt(T) mean / sd (ddof 1) of the daily timing alpha over T sessions |

A trade's return is its profit after costs over shares x entry price. A session that starts with no equity left
returns 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from shared.contracts.messages import Metrics

Floats = npt.NDArray[np.float64]

SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class Tally:
    """Sums over one setting's trades and bars, in the order of the kernel's tally row."""

    trades: float
    wins: float
    gain: float
    loss: float
    mean: float
    m2: float
    drawdown: float
    costs: float
    in_market: float
    hits: float
    hit_bars: float
    final_equity: float

    @classmethod
    def of_row(cls, row: Floats) -> Tally:
        return cls(*(float(value) for value in row[: len(fields(cls))]))


@dataclass(frozen=True, kw_only=True)
class Daily:
    """One setting's sessions: what it returned, and that minus its static time-of-day portfolio; shape (sessions,)."""

    returns: Floats
    alpha: Floats


def metrics_of(tally: Tally, daily: Daily, *, bars: int, starting_cash: float, buy_hold_return: float) -> Metrics:
    """Return the figures of one setting."""
    count = int(tally.trades)
    mean_over_sd = _ratio(tally.mean, tally.m2, count)
    return Metrics(
        total_return=tally.final_equity / starting_cash - 1.0,
        buy_hold_return=buy_hold_return,
        sharpe=_times(t_statistic(daily.returns), math.sqrt(SESSIONS_A_YEAR / max(len(daily.returns), 1))),
        max_drawdown=tally.drawdown,
        sqn=_times(mean_over_sd, math.sqrt(count)),
        sqn100=_times(mean_over_sd, math.sqrt(min(count, 100))),
        profit_factor=tally.gain / tally.loss if tally.loss > 0 else None,
        trades=count,
        win_rate=tally.wins / count if count else None,
        hit_rate=tally.hits / tally.hit_bars if tally.hit_bars else None,
        exposure=tally.in_market / bars,
        costs_paid=tally.costs,
        final_equity=tally.final_equity,
        timing_alpha_t=t_statistic(daily.alpha),
    )


def t_statistic(values: Floats) -> float | None:
    """Return sqrt(n) mean / sd with ddof 1, None for fewer than two values or no spread."""
    if len(values) < 2:
        return None
    mean = float(values.mean())
    return _times(_ratio(mean, float(((values - mean) ** 2).sum()), len(values)), math.sqrt(len(values)))


def trade_statistics(returns: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Return (sqn, sqn100, profit factor) of these trade returns, by the definitions above."""
    tally = tally_of_returns(returns)
    ratio, count = _ratio(tally.mean, tally.m2, len(returns)), len(returns)
    return (
        _times(ratio, math.sqrt(count)),
        _times(ratio, math.sqrt(min(count, 100))),
        tally.gain / tally.loss if tally.loss > 0 else None,
    )


def daily_returns(day_equity: Floats, starting_cash: float) -> Floats:
    """Return equity at each session's end over the one before - 1; shape (..., sessions) in and out."""
    before = np.concatenate([np.full_like(day_equity[..., :1], starting_cash), day_equity[..., :-1]], axis=-1)
    alive = before > 0
    return np.where(alive, day_equity / np.where(alive, before, 1.0) - 1.0, 0.0)


def tally_of_returns(returns: Sequence[float]) -> Tally:
    """Return the tally of trades with these returns, its other sums 0."""
    gain = loss = mean = m2 = 0.0
    for number, earned in enumerate(returns, start=1):
        if earned > 0:
            gain += earned
        else:
            loss -= earned
        delta = earned - mean
        mean += delta / number
        m2 += delta * (earned - mean)
    return Tally(len(returns), 0, gain, loss, mean, m2, 0.0, 0.0, 0.0, 0, 0, 0.0)


def _ratio(mean: float, m2: float, count: int) -> float | None:
    """Return mean / sd, None where there is no spread beyond rounding."""
    if count < 2:
        return None
    sd = math.sqrt(m2 / (count - 1))
    # equal values leave an sd of a few ulps of their size, and would show a ratio of 1e15
    return mean / sd if sd > 1e-14 * max(abs(mean), 1e-3) else None


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
