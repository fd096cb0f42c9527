"""Signals, filters and gates of a setting as bits, one a bar: 64 bars to a word, so a year of minutes is 12 KB.

A bit of the finished masks belongs to the bar of the FILL: whether an order that fills there may enter or leave. The
decision was `delay` bars earlier, and every mask is made in terms of that bar and shifted. Each mask has one bit more
than there are bars, set, so a search for the next one always ends.
"""

# ruff: noqa: ANN001, ANN201, PLR0913, PLR0917
# pyright: basic

from __future__ import annotations

import numpy as np

from simulation_service.domain import columns as c
from simulation_service.domain.compiled import compiled, inlined, lowest_bit

#: a decision older than its delay and this is not traded on: the price it saw is gone
MAX_WAIT_MINUTES = 15


@compiled
def compare(series, limit, sign, out):
    """Set the bits of out where sign x series > limit; NaN compares false."""
    whole = len(series) >> 6
    for word in range(whole):
        base, bits = word << 6, np.uint64(0)
        for place in range(64):
            bits |= np.uint64(sign * series[base + place] > limit) << np.uint64(place)
        out[word] = bits
    bits = np.uint64(0)
    for t in range(whole << 6, len(series)):
        bits |= np.uint64(sign * series[t] > limit) << np.uint64(t & 63)
    out[whole] = bits


@inlined
def shifted(bits, word, delay):
    """Return a word of `bits` moved up by `delay` (0..63) bars."""
    if delay == 0:
        return bits[word]
    low = bits[word - 1] >> np.uint64(64 - delay) if word > 0 else np.uint64(0)
    return (bits[word] << np.uint64(delay)) | low


@inlined
def bit(masks, row, t):
    """Return whether the bit of bar t is set. Masks come whole: a row of their own would be counted by reference."""
    return (masks[row, t >> 6] >> np.uint64(t & 63)) & np.uint64(1) != np.uint64(0)


@inlined
def following(masks, row, t):
    """Return the first bar at or after t (at most the number of bars) whose bit is set."""
    word = t >> 6
    found = masks[row, word] >> np.uint64(t & 63)
    if found != np.uint64(0):
        return t + lowest_bit(found)
    word += 1
    while masks[row, word] == np.uint64(0):
        word += 1
    return (word << 6) + lowest_bit(masks[row, word])


@inlined
def following_entry(masks, t):
    """Return the first bar at or after t on which either side may be entered."""
    word = t >> 6
    found = (masks[c.LONG_IN, word] | masks[c.SHORT_IN, word]) >> np.uint64(t & 63)
    if found != np.uint64(0):
        return t + lowest_bit(found)
    word += 1
    while (masks[c.LONG_IN, word] | masks[c.SHORT_IN, word]) == np.uint64(0):
        word += 1
    return (word << 6) + lowest_bit(masks[c.LONG_IN, word] | masks[c.SHORT_IN, word])


@compiled
def timing(days, minute, fillable, window_closing, day_orders, delay, flat, skip_first, skip_last, leave, enter):
    """Set the bits of the bars on which an order `delay` bars old may leave, and on which one may enter.

    days : starts, closing, last_minute of the sessions
    """
    starts, _, last_minute = days
    for s in range(len(last_minute)):
        first, last = starts[s], starts[s + 1]
        limit = last_minute[s] + 1 - skip_last
        if flat or first <= window_closing < last:
            # the last scheduled minute of a session that ends flat takes no entry
            limit = min(limit, last_minute[s])
        for t in range(first, last):
            decided = t - delay
            if not fillable[t] or decided < (first if day_orders else 0):
                continue
            leave[t >> 6] |= np.uint64(1) << np.uint64(t & 63)
            fresh = not day_orders or minute[t] - minute[decided] <= delay + MAX_WAIT_MINUTES
            if fresh and skip_first <= minute[t] < limit:
                enter[t >> 6] |= np.uint64(1) << np.uint64(t & 63)


@compiled
def prepare(k, choices, numbers, signals, masks, scratch):  # noqa: C901, PLR0912 - a step a filter
    """Fill masks (MASKS, words) for setting k.

    signals : scores, |z|, the bot's probabilities, bits of allowed regimes, bits to leave on, bits to enter on
    scratch : (2, words)

    Z_LIMIT is the first number beyond the limit: |z| <= limit is |z| < Z_LIMIT.
    """
    scores, distances, bot, allowed, leave, enter = signals
    chosen, delay, words = choices[k], choices[k, c.DELAY], masks.shape[1]
    bars = scores.shape[1]
    wanted, passing = scratch[0], scratch[1]
    every = ~np.uint64(0)
    for word in range(words):
        passing[word] = every
    if chosen[c.Z] >= 0:
        compare(distances[chosen[c.Z]], -numbers[k, c.Z_LIMIT], -1.0, passing)
    can_leave, can_enter = leave[chosen[c.TIMING]], enter[chosen[c.TIMING]]
    for word in range(words):
        masks[c.FORCED, word] = np.uint64(0)
    if chosen[c.REGIME] >= 0:
        states = allowed[chosen[c.REGIME]]
        for word in range(words):
            passing[word] &= states[word]
        for word in range(words):
            masks[c.FORCED, word] = can_leave[word] & ~shifted(states, word, delay)
    for side in range(2):
        into, out = (c.LONG_IN, c.LONG_OUT) if side == 0 else (c.SHORT_IN, c.SHORT_OUT)
        if chosen[c.LONG if side == 0 else c.SHORT] == 0:
            masks[into, :] = np.uint64(0)
            masks[out, :] = np.uint64(0)
            continue
        if side == 0:
            compare(scores[chosen[c.SCORE]], numbers[k, c.ABOVE], 1.0, wanted)
        else:
            compare(scores[chosen[c.SCORE]], -numbers[k, c.BELOW], -1.0, wanted)
        for word in range(words):
            wanted[word] &= passing[word]
        for word in range(words):
            moved = shifted(wanted, word, delay)
            masks[into, word] = can_enter[word] & moved
            masks[out, word] = can_leave[word] & ~moved
    if chosen[c.BOT] >= 0:
        compare(bot, numbers[k, c.BOT_ABOVE], 1.0, wanted)
        for word in range(words):
            moved = shifted(wanted, word, delay)
            masks[c.LONG_IN, word] &= moved
            masks[c.SHORT_IN, word] &= moved
    for mask in range(masks.shape[0]):
        masks[mask, bars >> 6] |= np.uint64(1) << np.uint64(bars & 63)
