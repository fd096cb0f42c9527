"""The plain walk: one setting, bar after bar, everything recorded and the books checked on every bar.

What happens on bar t, in this order:

1. A position held overnight earns the night; a short pays for its borrowed shares.
2. If something traded on t:
   a. a fill at the open first carries out the order (b), then the stops of what is held; a fill at the midpoint or the
      close first sees whether a stop or a limit takes out what was held into t, which cancels the order
      (`kernel.stopped`; stops and limits are fractions of the entry price and fill at their own price);
   b. the order decided `delay` bars earlier, at the close of bar t - delay, is filled at t's open, midpoint or close.
      Orders are day orders unless the market says otherwise: a decision of the previous session fills nothing.
      * in the market: leave when the regime of the decision is not an allowed one; or when `max_hold` bars have
        passed since the entry; or when `min_hold` have and the signal of the decision is not the position's own;
      * flat: enter with a signal, the bot's leave, outside the gates of the session, not on the last scheduled minute
        of a session that ends flat, not more than MAX_WAIT_MINUTES later than `delay` minutes after the decision,
        and not in the bars of the cool-down. Only an exit by signal may turn round on its own bar.
3. If t is the last bar that traded in a session that ends flat (or in the window), what is held leaves at t's close:
   a market-on-close order, sent before and independent of any price of that day.
4. A short whose losses have eaten the account is closed out: at the first close, of a bar that traded, at which equity
   is not above 0. What is left may be a debt; nothing is entered any more. Long positions cannot lose more than there
   is: an entry is paid for with its costs, and leaving costs at most what it brings in and the account holds.
5. Equity is cash plus shares times t's close.

`masks` turns signals, filters and gates into bits. `jump` is the same walk without the bars on which nothing happens.
"""

# ruff: noqa: ANN001, ANN201, PLR0913, PLR0917, FBT003
# pyright: basic

from __future__ import annotations

import numpy as np

from simulation_service.domain import columns as c
from simulation_service.domain.compiled import compiled
from simulation_service.domain.kernel import borrowed, exit_cost, fill_cost, settle, sized, stopped
from simulation_service.domain.masks import bit, prepare

#: the account while walking. FREE: first bar that may be entered on; FLOWS: what this bar's fills moved
CASH, OWNED, SINCE, PAID, ENTRY_FEES, CARRY, FREE, FLOWS, BOOK = range(9)


@compiled
def leave(t, price, reason, close, book, choices, costs, liquidity, tally, trades):
    """Close the position on bar t and write the trade down."""
    shares, size = book[OWNED], abs(book[OWNED])
    paid = exit_cost(t, shares, price, book[CASH], costs, liquidity)
    # in this order what costs take whole ends as exactly nothing
    book[CASH] = (book[CASH] + shares * price) - paid
    book[FLOWS] += shares * (price - close) - paid
    pnl = shares * (price - book[PAID]) - book[ENTRY_FEES] - paid - book[CARRY]
    row = trades[int(tally[c.TRADES])]
    row[c.ENTRY], row[c.EXIT], row[c.REASON] = book[SINCE], t, reason
    row[c.DIRECTION], row[c.SHARES], row[c.ENTRY_PRICE], row[c.EXIT_PRICE] = np.sign(shares), size, book[PAID], price
    row[c.TRADE_COSTS], row[c.PNL] = book[ENTRY_FEES] + paid + book[CARRY], pnl
    row[c.RETURN] = settle(tally, size, book[PAID], price, pnl, row[c.TRADE_COSTS])
    turns = reason == c.BY_SIGNAL and choices[0, c.COOLDOWN] == 0
    book[FREE], book[OWNED] = t if turns else t + 1 + choices[0, c.COOLDOWN], 0.0


@compiled
def enter(t, direction, price, close, book, choices, numbers, costs, liquidity):
    """Open a position on bar t with what the account pays for, if that is a share at least."""
    size = sized(t, book[CASH], price, choices[0, c.SIZING], numbers[0, c.SIZE], costs, liquidity)
    if size >= 1.0:
        book[SINCE], book[PAID], book[OWNED], book[CARRY] = t, price, direction * size, 0.0
        book[ENTRY_FEES] = fill_cost(t, size, price, costs, liquidity)
        book[CASH] -= book[OWNED] * price + book[ENTRY_FEES]
        book[FLOWS] += book[OWNED] * (close - price) - book[ENTRY_FEES]


@compiled
def order(t, book, choices, masks):
    """Return why the order due on bar t leaves the market, -1 when it does not."""
    held = t - book[SINCE]
    if bit(masks, c.FORCED, t):
        return c.BY_REGIME
    if choices[0, c.MAX_HOLD] > 0 and held >= choices[0, c.MAX_HOLD]:
        return c.BY_TIME
    out = c.LONG_OUT if book[OWNED] > 0 else c.SHORT_OUT
    return c.BY_SIGNAL if held >= choices[0, c.MIN_HOLD] and bit(masks, out, t) else -1


@compiled
def walk(  # noqa: C901, PLR0912, PLR0915 - kept whole: the rules above, one after the other
    bars,
    days,
    signals,
    choices,
    numbers,
    costs,
    liquidity,
    starting_cash,
    tally,
    day_equity,
    held,
    trades,
    account,
    space,
):
    """Walk setting 0 over all bars.

    bars : prices (open, midpoint, close, high, low), minute, fillable, window_closing
    days : starts, closing, last_minute, nights before each session
    tally, day_equity, held : out, as in `jump`, for one setting; start as 0
    trades, account : out, (many, TRADE) and (bars, ACCOUNT)
    space : room for masks (MASKS, words), scratch (2, words), book (BOOK,); the last starts as 0
    """
    prices, minute, fillable, window_closing = bars
    starts, closing, _, nights = days
    closes = prices[c.CLOSES]
    masks, scratch, book = space
    prepare(0, choices, numbers, signals, masks, scratch)
    fill, stop, profit = choices[0, c.FILL], numbers[0, c.STOP], numbers[0, c.PROFIT]
    stops = stop > 0.0 or profit > 0.0
    # over its fill bar a position is held before (close), after (open) or half and half (midpoint)
    before_share = 0.5 * fill
    after_share = 1.0 - before_share
    equity, peak = starting_cash, starting_cash
    book[CASH] = starting_cash
    for s in range(len(closing)):
        first, last = starts[s], starts[s + 1]
        flat_bar = closing[s] if choices[0, c.FLAT] else window_closing
        held[0] += np.sign(book[OWNED])
        for t in range(first, last):
            before = np.sign(book[OWNED])
            gained = book[OWNED] * (closes[t] - closes[t - 1]) if t > 0 else 0.0
            book[FLOWS] = 0.0
            if t == first and before < 0:
                fee = borrowed(book[OWNED], closes[t - 1], nights[s], costs)
                book[CASH] -= fee
                book[CARRY] += fee
                book[FLOWS] -= fee
            if before != 0 and t > first and closes[t] != closes[t - 1]:
                tally[c.HIT_BARS] += 1
                tally[c.HITS] += (closes[t] > closes[t - 1]) == (before > 0)
            after = before  # what is held at the bar's end, but for stops and the market-on-close order
            if fillable[t]:
                gone = False
                if stops and fill != 0 and before != 0:
                    gone, price, by_stop = stopped(t, False, book[OWNED], book[PAID], fill, stop, profit, prices)
                    if gone:
                        reason = c.BY_STOP if by_stop else c.BY_PROFIT
                        leave(t, price, reason, closes[t], book, choices, costs, liquidity, tally, trades)
                if not gone:
                    price = prices[fill, t]
                    reason = order(t, book, choices, masks) if before != 0 else -1
                    if reason >= 0:
                        leave(t, price, reason, closes[t], book, choices, costs, liquidity, tally, trades)
                    wanted = 1 if bit(masks, c.LONG_IN, t) else -1 if bit(masks, c.SHORT_IN, t) else 0
                    if wanted != 0 and book[OWNED] == 0 and t >= book[FREE]:
                        enter(t, wanted, price, closes[t], book, choices, numbers, costs, liquidity)
                    after = np.sign(book[OWNED])
                    entered = book[SINCE] == t
                    if stops and after != 0 and (fill == 0 or entered):
                        gone, price, by_stop = stopped(t, entered, book[OWNED], book[PAID], fill, stop, profit, prices)
                        if gone:
                            reason = c.BY_STOP if by_stop else c.BY_PROFIT
                            leave(t, price, reason, closes[t], book, choices, costs, liquidity, tally, trades)
                if t == flat_bar and book[OWNED] != 0:
                    leave(t, closes[t], c.BY_CLOSE, closes[t], book, choices, costs, liquidity, tally, trades)
                if book[OWNED] < 0 and book[CASH] + book[OWNED] * closes[t] <= 0.0:
                    leave(t, closes[t], c.BY_BUST, closes[t], book, choices, costs, liquidity, tally, trades)
            # the second set of books: the last equity, what was owned earned, this bar's fills against its close
            expected = equity + gained + book[FLOWS]
            equity = book[CASH] + book[OWNED] * closes[t]
            account[t, c.CASH_COLUMN], account[t, c.SHARES_COLUMN] = book[CASH], book[OWNED]
            account[t, c.ERROR_COLUMN] = abs(equity - expected)
            if before != 0 or after != 0:
                over = before_share * before + after_share * after
                held[minute[t] + 1] += over
                tally[c.IN_MARKET] += before_share * abs(before) + after_share * abs(after)
                account[t, c.POSITION_COLUMN] = over
                peak = max(peak, equity)
                tally[c.DRAWDOWN] = min(tally[c.DRAWDOWN], equity / peak - 1.0)
        day_equity[s] = equity
    tally[c.FINAL] = equity
