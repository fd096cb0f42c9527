"""What a simulated setting earned: every figure's definition and source.

Figures come from a row of tallies, filled either by a walk or by `audit` from the recorded trades and account; both
add in the same order, so both give the same bits. Undefined is None, never 0 in its stead.

| figure | definition |
| --- | --- |
| total_return | final equity / starting cash - 1, all costs paid |
| annual_return | (1 + total_return) ^ (252 / sessions) - 1; None when nothing is left |
| buy_hold_return | last close / first open of the window - 1, no costs |
| excess_return | total_return - buy_hold_return |
| sharpe | mean / sd (ddof 1) of daily returns, flat days included, x sqrt(252); no risk-free rate (Sharpe 1994) |
| sortino | mean of daily returns / root of the mean of min(return, 0)^2 over all days, x sqrt(252) |
| | (Sortino and van der Meer 1991; target 0) |
| max_drawdown | lowest equity / running peak - 1 over all bars, the starting cash being the first peak; |
| | below -1 when a short lost more than the account held |
| calmar | annual_return / -max_drawdown (Young 1991) |
| drawdown_days | most sessions in a row that end below the highest session-end equity (or starting cash) before |
| sqn | sqrt(N) mean(R) / sd(R), ddof 1, R = trade return after costs: the t-statistic of the mean trade (Tharp) |
| sqn100 | the same with N capped at 100 under the root (Tharp's normalised form) |
| profit_factor | sum of winning R / -sum of losing R; on returns, so later trades of a grown account weigh the same |
| expectancy | mean R: win rate x mean win - loss rate x mean loss (Tharp), per unit put in |
| average_trade | (final equity - starting cash) / trades, in currency |
| win_rate | share of trades with a profit after costs |
| longest_losing_run | most trades without a profit after costs in a row |
| hit_rate | of the bars held into the next bar of their session, the share whose close moved the position's way; |
| | unchanged closes are left out |
| exposure | mean of abs(position) over all bars; the fill bar counts for the part the position was held over it |
| turnover | shares x price of all fills / starting cash; a round trip of the whole account is 2 |
| costs_paid | fees, spreads, slippage, impact and borrowing of all trades, in currency |
| cost_drag | costs_paid / starting cash: the return that costs took |
| timing_alpha | daily return minus the static portfolio of the setting's own mean position by minute of the day |
| timing_alpha_t | sqrt(T) mean / sd (ddof 1) of the daily timing alpha over T sessions |

A trade's return is its profit after costs over shares x entry price. A session that starts with no equity left
returns 0; so a bust account shows its last day's loss, beyond -1 where a short left a debt, and flat days after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from shared.contracts.backtests import Metrics
from simulation_service.domain import columns as c

Floats = npt.NDArray[np.float64]

SESSIONS_A_YEAR = 252
#: validates all at once, which is three times as fast as one by one
_METRICS = TypeAdapter(tuple[Metrics, ...])


@dataclass(frozen=True, kw_only=True)
class Account:
    """What settings are measured against: the window's bars, its buy and hold, and what they started with."""

    bars: int
    starting_cash: float
    buy_hold_return: float


def metrics_of(tallies: Floats, returns: Floats, alpha: Floats, account: Account) -> tuple[Metrics, ...]:
    """Return the figures of each setting.

    tallies : (settings, TALLY)
    returns, alpha : (settings, sessions); what each session returned, and that minus the static portfolio
    """
    # copied, so that one setting and a thousand lie the same way in memory and add up in the same order
    returns, alpha = np.ascontiguousarray(returns), np.ascontiguousarray(alpha)
    cash, sessions = account.starting_cash, returns.shape[1]
    count, final = tallies[:, c.TRADES], tallies[:, c.FINAL]
    total = final / cash - 1.0
    with np.errstate(all="ignore"):
        annual = np.where(final > 0, (final / cash) ** (SESSIONS_A_YEAR / max(sessions, 1)) - 1.0, np.nan)
        mean_over_sd = _ratio(tallies[:, c.MEAN], tallies[:, c.M2], count)
        drawdown = tallies[:, c.DRAWDOWN]
        figures: dict[str, npt.NDArray[Any]] = {
            "total_return": total,
            "buy_hold_return": np.full(len(tallies), account.buy_hold_return),
            "sharpe": t_statistics(returns) * math.sqrt(SESSIONS_A_YEAR / max(sessions, 1)),
            "max_drawdown": drawdown,
            "sqn": mean_over_sd * np.sqrt(count),
            "sqn100": mean_over_sd * np.sqrt(np.minimum(count, 100)),
            "profit_factor": np.where(tallies[:, c.LOSS] > 0, tallies[:, c.GAIN] / tallies[:, c.LOSS], np.nan),
            "trades": count.astype(np.int64),
            "win_rate": tallies[:, c.WINS] / count,
            "hit_rate": tallies[:, c.HITS] / tallies[:, c.HIT_BARS],
            "exposure": tallies[:, c.IN_MARKET] / account.bars,
            "costs_paid": tallies[:, c.COSTS],
            "final_equity": final,
            "timing_alpha_t": t_statistics(alpha),
            "annual_return": annual,
            "excess_return": total - account.buy_hold_return,
            "sortino": _sortino(returns),
            "calmar": np.where(drawdown < 0, annual / -drawdown, np.nan),
            "drawdown_days": _drawdown_days(returns),
            "expectancy": np.where(count > 0, tallies[:, c.MEAN], np.nan),
            "average_trade": (final - cash) / count,
            "turnover": tallies[:, c.TRADED] / cash,
            "cost_drag": tallies[:, c.COSTS] / cash,
            "longest_losing_run": tallies[:, c.LONGEST].astype(np.int64),
        }
    names = tuple(figures)
    rows = zip(*(_or_none(values) for values in figures.values()), strict=True)
    return _METRICS.validate_python([dict(zip(names, row, strict=True)) for row in rows])


def t_statistics(values: Floats) -> Floats:
    """Return sqrt(n) mean / sd (ddof 1) of each row, NaN for fewer than two values or no spread."""
    count = values.shape[1]
    mean = values.mean(axis=1)
    m2 = ((values - mean[:, None]) ** 2).sum(axis=1)
    return _ratio(mean, m2, np.full(len(values), float(count))) * math.sqrt(count)


def daily_returns(day_equity: Floats, starting_cash: float) -> Floats:
    """Return equity at each session's end over the one before - 1; shape (..., sessions) in and out."""
    before = np.concatenate([np.full_like(day_equity[..., :1], starting_cash), day_equity[..., :-1]], axis=-1)
    alive = before > 0
    return np.where(alive, day_equity / np.where(alive, before, 1.0) - 1.0, 0.0)


def tally_of_returns(returns: Sequence[float]) -> Floats:
    """Return the tally row of trades with these returns, its sums of money 0."""
    row = np.zeros(c.TALLY)
    gain = loss = mean = m2 = 0.0
    for number, earned in enumerate(returns, start=1):
        if earned > 0:
            gain += earned
        else:
            loss -= earned
        delta = earned - mean
        mean += delta / number
        m2 += delta * (earned - mean)
    row[[c.TRADES, c.GAIN, c.LOSS, c.MEAN, c.M2]] = len(returns), gain, loss, mean, m2
    return row


def _sortino(returns: Floats) -> Floats:
    falls = np.sqrt((np.minimum(returns, 0.0) ** 2).mean(axis=1))
    return np.where(falls > 0, returns.mean(axis=1) / falls, np.nan) * math.sqrt(SESSIONS_A_YEAR)


def _drawdown_days(returns: Floats) -> npt.NDArray[np.int64]:
    """Return the longest run of sessions that end below the highest end before, the start included."""
    equity: npt.NDArray[Any] = np.cumprod(1.0 + returns, axis=1)
    peak: npt.NDArray[Any] = np.maximum.accumulate(np.maximum(equity, 1.0), axis=1)
    place = np.arange(1, int(equity.shape[1]) + 1)
    highs: npt.NDArray[Any] = np.maximum.accumulate(np.where(equity >= peak, place, 0), axis=1)
    return np.max(place - highs, axis=1, initial=0)


def _ratio(mean: Floats, m2: Floats, count: Floats) -> Floats:
    """Return mean / sd, NaN where there is no spread beyond rounding."""
    with np.errstate(all="ignore"):
        sd = np.sqrt(m2 / (count - 1.0))
        # equal values leave an sd of a few ulps of their size, and would show a ratio of 1e15
        usable = (count >= 2) & (sd > 1e-14 * np.maximum(np.abs(mean), 1e-3))
        return np.where(usable, mean / sd, np.nan)


def _or_none(values: npt.NDArray[Any]) -> list[Any]:
    """Return the values as plain numbers, None for what is not one."""
    if values.dtype.kind == "i" or np.isfinite(values).all():
        return values.tolist()
    return [value if math.isfinite(value) else None for value in values.tolist()]
