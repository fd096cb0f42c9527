"""The compiled walk: each setting sees the bars once, in order. Imported only where it runs, for numba's sake.

What happens on bar t, in this order:

1. A position held overnight earns the night.
2. If something traded on t, the order decided `delay` bars earlier is filled at t's open, midpoint or close. That
   decision used prediction[t - delay], known at the close of bar t - delay. Orders are day orders: a decision of
   the previous session fills nothing.
   * in the market, hold = 0: leave (and with long_short turn round) when the signal is not the position's own;
   * in the market, hold > 0: leave when `hold` bars have passed since the entry; enter again on t + 1 at the soonest;
   * flat: enter when there is a signal, unless t is the last scheduled minute of a session that ends flat, or t
     starts more than MAX_WAIT_MINUTES later than `delay` minutes after the decision (a stale order).
3. If t is the last bar that traded in a session that ends flat (or in the window), what is held leaves at t's close:
   a market-on-close order, sent before and independent of any price of that day.
4. Equity is cash plus shares times t's close.

A comparison with NaN is false, so a missing prediction is no signal. Sizing is all-in whole shares of what the
account holds. `delay` and `hold` count bars that exist: a minute without a trade is not waited for twice.
"""

# numba reads types off the arguments at the first call: annotations would be a second, unchecked opinion
# ruff: noqa: ANN001, ANN201
# pyright: basic

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from simulation_service.domain.market import SLOTS

#: a decision older than its delay and this is not traded on: the price it saw is gone
MAX_WAIT_MINUTES = 15

#: columns of the tally row of a setting
TRADES, WINS, GAIN, LOSS, MEAN, M2, DRAWDOWN, COSTS, IN_MARKET, HITS, HIT_BARS, FINAL, TALLY = range(13)
#: columns of a recorded trade
ENTRY, EXIT, DIRECTION, SHARES, ENTRY_PRICE, EXIT_PRICE, TRADE_COSTS, PNL, RETURN, REASON, TRADE = range(11)
#: why a trade ended
BY_SIGNAL, BY_TIME, BY_CLOSE = range(3)


def _compiled(function: Any) -> Any:  # noqa: ANN401 - numba's dispatcher has no useful type
    """Compile on first call, kept on disk where numba finds a folder it may write, in memory elsewhere."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function: no locator available": a read-only installation
        return njit(**options)(function)


@_compiled
def price_at(t, fill, opens, highs, lows, closes):
    """Return what an order filled on bar t is worth: open, midpoint or close."""
    if fill == 0:
        return opens[t]
    if fill == 1:
        return 0.5 * (highs[t] + lows[t])
    return closes[t]


@_compiled
def signal(prediction, threshold, both_sides):
    """Return 1, -1 or 0; NaN compares false and gives 0."""
    if prediction > threshold:
        return 1
    if both_sides and prediction < -threshold:
        return -1
    return 0


@_compiled
def fill_cost(shares, price, costs):
    """Return what a fill of `shares` (>= 0) costs: costs = [per fill, per share, half spread as a fraction]."""
    return costs[0] + shares * costs[1] + shares * price * costs[2]


@_compiled
def affordable(cash, price, costs):
    """Return the most whole shares that cash pays for, costs included."""
    shares = np.floor((cash - costs[0]) / (price * (1.0 + costs[2]) + costs[1]))
    # the division may round up to a whole number that is a cent too many
    if shares * price + fill_cost(shares, price, costs) > cash:
        shares -= 1.0
    return shares


@_compiled
def outcome(shares, entry_price, entry_costs, price, costs):
    """Return what leaving costs, the trade's profit in currency after all costs, and as a fraction of its entry."""
    paid = fill_cost(abs(shares), price, costs)
    pnl = shares * (price - entry_price) - entry_costs - paid
    return paid, pnl, pnl / (abs(shares) * entry_price)


@_compiled
def record(row, shares, entry_price, price, costs, pnl, earned):
    """Write a finished trade into its row of the detail."""
    row[DIRECTION], row[SHARES] = np.sign(shares), abs(shares)
    row[ENTRY_PRICE], row[EXIT_PRICE] = entry_price, price
    row[TRADE_COSTS], row[PNL], row[RETURN] = costs, pnl, earned


@_compiled
def settle(tally, pnl, earned, costs):
    """Count a finished trade: `pnl` in currency, `earned` as a fraction of what was put in."""
    tally[TRADES] += 1
    tally[WINS] += pnl > 0
    if earned > 0:
        tally[GAIN] += earned
    else:
        tally[LOSS] -= earned
    # Welford 1962: mean and sum of squared deviations in one pass
    delta = earned - tally[MEAN]
    tally[MEAN] += delta / tally[TRADES]
    tally[M2] += delta * (earned - tally[MEAN])
    tally[COSTS] += costs


@_compiled
def walk(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - kept whole: one loop, one pass
    rows,  # [first, last) of the settings to walk
    bars,  # open, high, low, close, prediction, minute, fillable
    sessions,  # starts, closing, last_minute
    grid,  # threshold, both_sides, hold, delay, fill, flat: one array each
    costs,
    starting_cash,
    tallies,  # out, (settings, TALLY)
    day_equity,  # out, (settings, sessions)
    held_sums,  # out, (settings, SLOTS): position summed over sessions by slot of the day
    trades=None,  # out, (many, TRADE), for one setting; None compiles recording away
    account=None,  # out, (bars, 3): cash, shares (short < 0), position held over the bar
):
    """Walk settings rows[0]..rows[1] over all bars; everything is written into the out arrays, which start as 0."""
    opens, highs, lows, closes, prediction, minute, fillable = bars
    starts, closing, last_minute = sessions
    thresholds, both_sides, holds, delays, fills, flats = grid
    n_sessions = len(closing)
    window_closing = -1
    for s in range(n_sessions):
        window_closing = max(window_closing, closing[s])
    for k in range(rows[0], rows[1]):
        threshold, both, hold, delay, fill = thresholds[k], both_sides[k], holds[k], delays[k], fills[k]
        tally, held = tallies[k], held_sums[k]
        # over its fill bar a position is held before (close), after (open) or half and half (midpoint)
        before_share = 0.5 * fill
        after_share = 1.0 - before_share
        cash, shares, equity, peak, drawdown = starting_cash, 0.0, starting_cash, starting_cash, 0.0
        direction, entry, entry_price, entry_costs = 0, -1, 0.0, 0.0
        in_market, hits, hit_bars = 0.0, 0, 0
        for s in range(n_sessions):
            first, last = starts[s], starts[s + 1]
            flat_bar, entry_limit = -1, 1 << 30
            if flats[k]:
                flat_bar, entry_limit = closing[s], last_minute[s]
            elif first <= window_closing < last:
                flat_bar, entry_limit = window_closing, last_minute[s]
            held[0] += direction
            for t in range(first, last):
                before = direction
                if before != 0 and t > first and closes[t] != closes[t - 1]:
                    hit_bars += 1
                    hits += (closes[t] > closes[t - 1]) == (before > 0)
                if fillable[t]:
                    decided = t - delay
                    wanted = 0
                    if decided >= first:
                        wanted = signal(prediction[decided], threshold, both)
                    if direction != 0:
                        leave = t - entry >= hold if hold > 0 else decided >= first and wanted != direction
                        if leave:
                            price = price_at(t, fill, opens, highs, lows, closes)
                            paid, pnl, earned = outcome(shares, entry_price, entry_costs, price, costs)
                            cash += shares * price - paid
                            if trades is not None:
                                row = trades[int(tally[TRADES])]
                                row[ENTRY], row[EXIT], row[REASON] = entry, t, BY_TIME if hold > 0 else BY_SIGNAL
                                record(row, shares, entry_price, price, entry_costs + paid, pnl, earned)
                            settle(tally, pnl, earned, entry_costs + paid)
                            shares, direction = 0.0, 0
                            wanted = 0 if hold > 0 else wanted
                        else:
                            wanted = 0
                    if (
                        wanted != 0
                        and minute[t] < entry_limit
                        and minute[t] - minute[decided] <= delay + MAX_WAIT_MINUTES
                    ):
                        price = price_at(t, fill, opens, highs, lows, closes)
                        size = affordable(cash, price, costs)
                        if size >= 1.0:
                            direction, entry, entry_price, shares = wanted, t, price, wanted * size
                            entry_costs = fill_cost(size, price, costs)
                            cash -= shares * price + entry_costs
                if before != 0 or direction != 0:
                    over = before_share * before + after_share * direction
                    held[minute[t] + 1] += over
                    in_market += before_share * abs(before) + after_share * abs(direction)
                    if account is not None:
                        account[t, 2] = over
                    if t == flat_bar and direction != 0:
                        price = closes[t]
                        paid, pnl, earned = outcome(shares, entry_price, entry_costs, price, costs)
                        cash += shares * price - paid
                        if trades is not None:
                            row = trades[int(tally[TRADES])]
                            row[ENTRY], row[EXIT], row[REASON] = entry, t, BY_CLOSE
                            record(row, shares, entry_price, price, entry_costs + paid, pnl, earned)
                        settle(tally, pnl, earned, entry_costs + paid)
                        shares, direction = 0.0, 0
                    equity = cash + shares * closes[t]
                    peak = max(peak, equity)
                    drawdown = min(drawdown, equity / peak - 1.0)
                if account is not None:
                    account[t, 0], account[t, 1] = cash, shares
            day_equity[k, s] = equity
        tally[DRAWDOWN], tally[IN_MARKET], tally[HITS] = drawdown, in_market, hits
        tally[HIT_BARS], tally[FINAL] = hit_bars, equity


@_compiled
def static_returns(mean_position, slot_return, out):
    """Add to out (settings, sessions) the daily return of each setting's static time-of-day portfolio.

    Summed slot by slot in order, not by a matrix product, so that one setting alone gives the same bits as
    a thousand together.
    """
    for k in range(mean_position.shape[0]):
        for slot in range(SLOTS):
            weight = mean_position[k, slot]
            if weight != 0.0:
                for s in range(slot_return.shape[1]):
                    out[k, s] += weight * slot_return[slot, s]
