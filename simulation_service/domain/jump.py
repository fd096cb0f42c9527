"""The fast walk: many settings, each from signal to signal, over the bars in between at once.

The rules are those of `step`, and so are the results, to the last bit:

* The masks say where the next entry is and where it ends, so flat stretches cost nothing.
* What a stretch in the market adds up to needs no walk either. Hits are differences of running counts; positions by
  minute and bars in the market are sums of halves, exact in any order; the drawdown moves only when the stretch's
  highest or lowest close can move it, and only a stretch that can do both is looked at bar by bar.
"""

# ruff: noqa: ANN001, ANN201, PLR0913, PLR0917
# pyright: basic

from __future__ import annotations

from simulation_service.domain import columns as c
from simulation_service.domain.compiled import compiled, inlined
from simulation_service.domain.kernel import borrowed, exit_cost, fill_cost, settle, sized, stopped
from simulation_service.domain.market import SLOTS
from simulation_service.domain.masks import bit, following, following_entry, prepare


@compiled
def same_masks(k, other, choices, numbers):
    """Return whether two settings differ in nothing that their masks are made from."""
    same = True
    for column in range(c.DELAY + 1):
        same = same and choices[k, column] == choices[other, column]
    for column in range(c.BOT_ABOVE + 1):
        same = same and numbers[k, column] == numbers[other, column]
    return same


@compiled
def extremes(closes, first, last):
    """Return the lowest and the highest of closes[first..last], which is at least one bar.

    Four at a time: a single chain of comparisons waits for each before the next.
    """
    a = b = d = e = closes[first]
    w = x = y = z = closes[first]
    t = first
    while t + 3 <= last:
        a, w = min(a, closes[t]), max(w, closes[t])
        b, x = min(b, closes[t + 1]), max(x, closes[t + 1])
        d, y = min(d, closes[t + 2]), max(y, closes[t + 2])
        e, z = min(e, closes[t + 3]), max(z, closes[t + 3])
        t += 4
    while t <= last:
        a, w = min(a, closes[t]), max(w, closes[t])
        t += 1
    return min(a, b, d, e), max(w, x, y, z)


@inlined
def marked(cash, shares, closes, first, last, water):
    """Move water (peak, lowest since, drawdown) by the equity of closes[first..last]."""
    if first > last:
        return
    low, high = extremes(closes, first, last)
    if shares < 0:
        low, high = high, low
    least, most = cash + shares * low, cash + shares * high
    if most <= water[0]:
        if least < water[1]:
            water[1] = least
            water[2] = min(water[2], least / water[0] - 1.0)
    elif least / most - 1.0 >= water[2]:
        # no fall inside the stretch is deeper than the deepest so far, so only its highest point matters
        water[0] = water[1] = most
    else:
        for t in range(first, last + 1):
            touch(cash + shares * closes[t], water)


@inlined
def touch(equity, water):
    """Move water by one point."""
    if equity > water[0]:
        water[0] = water[1] = equity
    elif equity < water[1]:
        water[1] = equity
        water[2] = min(water[2], equity / water[0] - 1.0)


@inlined
def spread(first, last, weight, marks, held, steps):
    """Add weight to the slots of the bars first..last of one session.

    steps : where sums by slot rise and fall; for a stretch without missing minutes that says it all
    """
    if first > last:
        return
    if marks[last, c.MINUTE] - marks[first, c.MINUTE] == last - first:
        steps[marks[first, c.MINUTE] + 1] += weight
        steps[marks[last, c.MINUTE] + 2] -= weight
    else:
        for t in range(first, last + 1):
            held[marks[t, c.MINUTE] + 1] += weight


@inlined
def exit_of(t, direction, close_row, choices, masks, traded, bars):
    """Return (bar, reason) of the order or the close that ends a position entered on bar t, stops aside."""
    min_hold, max_hold = choices[c.MIN_HOLD], choices[c.MAX_HOLD]
    leave, reason = bars, c.BY_SIGNAL
    if max_hold == 0 or min_hold < max_hold:
        from_bar = t + max(min_hold, 1)
        if from_bar <= close_row:
            leave = following(masks, c.LONG_OUT if direction > 0 else c.SHORT_OUT, from_bar)
    if max_hold > 0:
        timed = following(traded, 0, min(t + max_hold, bars))
        if timed <= leave:
            leave, reason = timed, c.BY_TIME
    if choices[c.REGIME] >= 0:
        forced = following(masks, c.FORCED, t + 1)
        if forced <= leave:
            leave, reason = forced, c.BY_REGIME
    return (close_row, c.BY_CLOSE) if leave > close_row else (leave, reason)


@compiled
def walk(  # noqa: C901, PLR0912, PLR0915 - kept whole: one trade after the other
    order, bars, days, lookups, signals, choices_of, numbers_of, costs, liquidity, starting_cash, tallies, day_equity,
    held_sums, space,
):  # fmt: skip
    """Walk the settings in `order`, where those with equal masks stand together.

    bars, days, signals : as in `step`
    lookups : for each bar (session, minute, closes that moved and that rose inside sessions up to it), (bars, MARKS);
        bits of the bars that traded, (1, words)
    choices_of, numbers_of : (settings, CHOICES) and (settings, NUMBERS)
    tallies : out, (settings, TALLY); day_equity : out, (settings, sessions)
    held_sums : out, (settings, SLOTS): position summed over sessions by slot of the day; all three start as 0
    space : room for this call alone: masks (MASKS, words), scratch (2, words), steps (SLOTS + 1,), water (3,)
    """
    prices, _, fillable, window_closing = bars
    starts, closing, _, nights = days
    marks, traded = lookups
    closes = prices[c.CLOSES]
    n_bars, n_days = len(closes), len(closing)
    _, dearest = extremes(closes, 0, n_bars - 1)
    masks, scratch, steps, water = space
    previous = -1
    for k in order:
        if previous < 0 or not same_masks(k, previous, choices_of, numbers_of):
            prepare(k, choices_of, numbers_of, signals, masks, scratch)
        previous = k
        choices, tally, held = choices_of[k], tallies[k], held_sums[k]
        fill, cooldown = choices[c.FILL], choices[c.COOLDOWN]
        sizing, size_asked = choices[c.SIZING], numbers_of[k, c.SIZE]
        stop, profit = numbers_of[k, c.STOP], numbers_of[k, c.PROFIT]
        stops = stop > 0.0 or profit > 0.0
        before_share = 0.5 * fill
        after_share = 1.0 - before_share
        cash, in_market, hits, hit_bars = starting_cash, 0.0, 0, 0
        water[0] = water[1] = starting_cash
        water[2] = 0.0
        for slot in range(SLOTS + 1):
            steps[slot] = 0.0
        free, left, day = 0, -1, 0
        while True:
            t = following_entry(masks, free) if free < n_bars else n_bars
            size, price = 0.0, 0.0
            if t < n_bars:
                price = prices[fill, t]
                size = sized(t, cash, price, sizing, size_asked, costs, liquidity)
            # the account after the last exit, unless the position turns round on that very bar
            if left >= 0 and not (left == t and size >= 1.0):
                touch(cash, water)
                left = -1
            if t >= n_bars:
                break
            if not size >= 1.0:
                free = t + 1
                continue
            direction = 1 if bit(masks, c.LONG_IN, t) else -1
            entered = marks[t, c.DAY]
            while day < entered:
                day_equity[k, day] = cash
                day += 1
            shares, entry_costs, carry = direction * size, fill_cost(t, size, price, costs, liquidity), 0.0
            entry_price = price
            cash -= shares * price + entry_costs
            close_row = closing[entered] if choices[c.FLAT] else window_closing
            leave, reason = exit_of(t, direction, close_row, choices, masks, traded, n_bars)
            price = closes[leave] if reason == c.BY_CLOSE else prices[fill, leave]
            if stops:
                last = leave if reason == c.BY_CLOSE or fill != 0 else leave - 1
                for u in range(t, last + 1):
                    if fillable[u]:
                        gone, stop_price, by_stop = stopped(
                            u, u == t, shares, entry_price, fill, stop, profit, prices
                        )  # fmt: skip
                        if gone:
                            leave, price, reason = u, stop_price, c.BY_STOP if by_stop else c.BY_PROFIT
                            break
            # the bars between, session by session; the bar of the exit counts for what comes after it
            begin = t
            while True:
                end = min(leave, starts[day + 1]) - 1
                if direction < 0 and cash + shares * dearest <= 0.0:
                    for u in range(begin, end + 1):
                        if fillable[u] and cash + shares * closes[u] <= 0.0:
                            leave, price, reason, end = u, closes[u], c.BY_BUST, u - 1
                            break
                marked(cash, shares, closes, begin, end, water)
                spread(t + 1 if begin == t else begin, end, direction, marks, held, steps)
                if marks[leave, c.DAY] == day:
                    break
                day_equity[k, day] = cash + shares * closes[starts[day + 1] - 1]
                day += 1
                begin = starts[day]
                held[0] += direction
                fee = borrowed(shares, closes[begin - 1], nights[day], costs)
                cash -= fee
                carry += fee
            held[marks[t, c.MINUTE] + 1] += after_share * direction
            in_market += after_share
            if leave > t:
                last_share = before_share if reason < c.BY_CLOSE else 1.0
                held[marks[leave, c.MINUTE] + 1] += last_share * direction
                in_market += (leave - t - 1) + last_share
                count = marks[leave, c.MOVED] - marks[t, c.MOVED]
                rose = marks[leave, c.RISEN] - marks[t, c.RISEN]
                hit_bars += count
                hits += rose if direction > 0 else count - rose
            paid = exit_cost(leave, shares, price, cash, costs, liquidity)
            # in this order what costs take whole ends as exactly nothing
            cash = (cash + shares * price) - paid
            pnl = shares * (price - entry_price) - entry_costs - paid - carry
            settle(tally, size, entry_price, price, pnl, entry_costs + paid + carry)
            left = leave
            free = leave if reason == c.BY_SIGNAL and cooldown == 0 else leave + 1 + cooldown
        while day < n_days:
            day_equity[k, day] = cash
            day += 1
        total = 0.0
        for slot in range(SLOTS):
            total += steps[slot]
            held[slot] += total
        tally[c.DRAWDOWN], tally[c.IN_MARKET], tally[c.HITS], tally[c.HIT_BARS] = water[2], in_market, hits, hit_bars
        tally[c.FINAL] = cash
