"""What both walks share, compiled: costs, sizes, stops, and the books of finished trades.

Both call these with the same arguments in the same order, so their sums agree to the last bit.
"""

# ruff: noqa: ANN001, ANN201
# pyright: basic

from __future__ import annotations

import numpy as np

from simulation_service.domain import columns as c
from simulation_service.domain.compiled import compiled, inlined
from simulation_service.domain.market import SLOTS

#: a short's borrow fee counts calendar nights over this many a year, as brokers do
BORROW_YEAR = 360.0


@compiled
def extra_cost(t, shares, price, costs, liquidity):
    """Return what a fill costs beyond the parts that are linear in its size.

    liquidity : average true range before each bar, volume of each bar; empty where the costs read neither. An
        unknown volume, or one smaller than the fill, counts as if the fill were all of it.
    """
    ranges, volume = liquidity
    value, paid = shares * price, 0.0
    if costs[c.FEE_MINIMUM] > 0.0:
        paid += max(costs[c.FEE_MINIMUM] - (shares * costs[c.PER_SHARE] + value * costs[c.FEE_RATE]), 0.0)
    if costs[c.SLIPPAGE_ATR] > 0.0:
        paid += shares * (ranges[t] * costs[c.SLIPPAGE_ATR])
    if costs[c.IMPACT] > 0.0:
        part = shares / volume[t] if volume[t] > shares else 1.0
        paid += value * (costs[c.IMPACT] * (part * part))
    return paid


@inlined
def fill_cost(t, shares, price, costs, liquidity):
    """Return what a fill of `shares` (>= 0) on bar t costs."""
    paid = costs[c.PER_FILL] + shares * costs[c.PER_SHARE] + shares * price * costs[c.RATE]
    if costs[c.EXTRA] != 0.0:
        paid += extra_cost(t, shares, price, costs, liquidity)
    return paid


@inlined
def exit_cost(t, shares, price, cash, costs, liquidity):
    """Return what leaving a position (short < 0) on bar t costs: of a long at most what there is to pay it from."""
    paid = fill_cost(t, abs(shares), price, costs, liquidity)
    return min(paid, cash + shares * price) if shares > 0 else paid


@inlined
def affordable(t, money, price, costs, liquidity):
    """Return the most whole shares that `money` pays for on bar t, costs included."""
    if costs[c.EXTRA] == 0.0:
        shares = np.floor((money - costs[c.PER_FILL]) / (price * (1.0 + costs[c.RATE]) + costs[c.PER_SHARE]))
        # the division may round across a whole number, either way
        if shares * price + fill_cost(t, shares, price, costs, liquidity) > money:
            return shares - 1.0
        more = shares + 1.0
        return more if more * price + fill_cost(t, more, price, costs, liquidity) <= money else shares
    enough, too_many = 0.0, np.floor(money / price) + 1.0
    while too_many - enough > 1.0:
        middle = np.floor(0.5 * (enough + too_many))
        if middle * price + fill_cost(t, middle, price, costs, liquidity) <= money:
            enough = middle
        else:
            too_many = middle
    return enough


@inlined
def sized(t, cash, price, sizing, size, costs, liquidity):
    """Return the whole shares that an entry on bar t buys or sells; below 1: it does not take place."""
    if sizing == c.FIXED:
        shares = size if size * price + fill_cost(t, size, price, costs, liquidity) <= cash else 0.0
    else:
        shares = affordable(t, cash * size if sizing == c.FRACTION else cash, price, costs, liquidity)
    if costs[c.PARTICIPATION] > 0.0:
        most = np.floor(costs[c.PARTICIPATION] * liquidity[1][t])
        # an unknown volume compares false: what may be taken of it is not known either
        shares = min(shares, most) if most >= 1.0 else 0.0
    return shares


@compiled
def stopped(t, entered, shares, entry_price, fill, stop, profit, prices):
    """Return (whether a stop or a limit order takes the position out inside bar t, at what price, by the stop).

    entered : whether the position was opened on this bar

    Resting orders of a position held into the bar: a gap through either fills at the open, and when the bar touches
    both, the stop counts. On the bar of an entry at its open the same without the gap; at its midpoint the stop counts
    when the bar touched it at any time and the profit never does; at its close nothing is left of the bar.
    """
    if entered and fill == 2:
        return False, 0.0, False
    sign = 1.0 if shares > 0 else -1.0
    worst, best = prices[c.LOWS, t], prices[c.HIGHS, t]
    if shares < 0:
        worst, best = best, worst
    opened = prices[c.OPENS, t]
    stop_at, profit_at = entry_price * (1.0 - sign * stop), entry_price * (1.0 + sign * profit)
    if not entered:
        if stop > 0.0 and sign * opened <= sign * stop_at:
            return True, opened, True
        if profit > 0.0 and sign * opened >= sign * profit_at:
            return True, opened, False
    if stop > 0.0 and sign * worst <= sign * stop_at:
        return True, stop_at, True
    if profit > 0.0 and not (entered and fill == 1) and sign * best >= sign * profit_at:
        return True, profit_at, False
    return False, 0.0, False


@inlined
def borrowed(shares, close, nights, costs):
    """Return what a position held over `nights` calendar nights pays for borrowed shares: nothing when long."""
    return -shares * close * (costs[c.BORROW] * nights / BORROW_YEAR) if shares < 0 else 0.0


@inlined
def settle(tally, size, entry_price, price, pnl, paid):
    """Count a finished trade of `size` shares: `pnl` in currency after `paid` costs; return its return."""
    earned = pnl / (size * entry_price)
    tally[c.TRADES] += 1
    tally[c.WINS] += pnl > 0
    if earned > 0:
        tally[c.GAIN] += earned
    else:
        tally[c.LOSS] -= earned
    # Welford 1962: mean and sum of squared deviations in one pass
    delta = earned - tally[c.MEAN]
    tally[c.MEAN] += delta / tally[c.TRADES]
    tally[c.M2] += delta * (earned - tally[c.MEAN])
    tally[c.COSTS] += paid
    tally[c.TRADED] += size * (entry_price + price)
    tally[c.LOSING] = 0.0 if pnl > 0 else tally[c.LOSING] + 1.0
    tally[c.LONGEST] = max(tally[c.LONGEST], tally[c.LOSING])
    return earned


@compiled
def static_returns(mean_position, slot_return, out):
    """Add to out (settings, sessions) the daily return of each setting's static time-of-day portfolio.

    Summed slot by slot in order, not by a matrix product, so that one setting alone gives the same bits as
    a thousand together. Some settings at a time, so that a slot's returns are fetched once for all of them.
    """
    settings = mean_position.shape[0]
    for begin in range(0, settings, 16):
        for slot in range(SLOTS):
            for k in range(begin, min(begin + 16, settings)):
                weight = mean_position[k, slot]
                if weight != 0.0:
                    row = out[k]
                    for s in range(slot_return.shape[1]):
                        row[s] += weight * slot_return[slot, s]
