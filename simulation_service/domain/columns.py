"""Columns of the compiled walks' arrays, importable without compiling anything."""

from __future__ import annotations

#: tally row of a setting
(
    TRADES, WINS, GAIN, LOSS, MEAN, M2, DRAWDOWN, COSTS, IN_MARKET, HITS, HIT_BARS, FINAL, TRADED, LOSING, LONGEST,
    TALLY,
) = range(16)  # fmt: skip
#: a recorded trade
ENTRY, EXIT, DIRECTION, SHARES, ENTRY_PRICE, EXIT_PRICE, TRADE_COSTS, PNL, RETURN, REASON, TRADE = range(11)
#: why a trade ended: the first three are orders of the setting
BY_SIGNAL, BY_TIME, BY_REGIME, BY_CLOSE, BY_STOP, BY_PROFIT, BY_BUST = range(7)
#: the account after a bar: cash, shares (short < 0), position held over the bar, how far the books are off
CASH_COLUMN, SHARES_COLUMN, POSITION_COLUMN, ERROR_COLUMN, ACCOUNT = range(5)
#: whole numbers of a setting; SCORE, Z, REGIME and TIMING are rows of the shared arrays, -1 for none
(
    SCORE, LONG, SHORT, Z, REGIME, BOT, TIMING, DELAY, FILL, FLAT, MIN_HOLD, MAX_HOLD, COOLDOWN, SIZING, CHOICES,
) = range(15)  # fmt: skip
#: real numbers of a setting; 0 switches STOP and PROFIT off
ABOVE, BELOW, Z_LIMIT, BOT_ABOVE, STOP, PROFIT, SIZE, NUMBERS = range(8)
#: how much is bought
ALL_IN, FRACTION, FIXED = range(3)
#: costs: those of every fill; EXTRA says whether any of the rest is in use
(
    PER_FILL, PER_SHARE, RATE, EXTRA, FEE_RATE, FEE_MINIMUM, SLIPPAGE_ATR, IMPACT, PARTICIPATION, BORROW, COST_TERMS,
) = range(11)  # fmt: skip
#: rows of the masks of a setting, a bit a bar of the fill
LONG_IN, SHORT_IN, LONG_OUT, SHORT_OUT, FORCED, MASKS = range(6)
#: rows of the prices; the first three are what an order filled at the bar's open, midpoint or close is worth
OPENS, MIDPOINTS, CLOSES, HIGHS, LOWS = range(5)
#: what a walk looks up of a bar: its session and minute, and how many closes had moved and had risen by then
DAY, MINUTE, MOVED, RISEN, MARKS = range(5)
