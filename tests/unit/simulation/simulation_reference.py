"""The same simulation once more, slow and plain: one bar after the other, dicts and floats, no arrays, no numba.

Written from the rules in words, not from the kernel: an order book of dated decisions instead of index arithmetic.
"""

from __future__ import annotations

import math

MAX_WAIT_MINUTES = 15


class Account:
    """Cash and whole shares, and the log of what was traded."""

    def __init__(self, cash, costs):
        self.cash, self.costs = cash, costs
        self.shares, self.entry, self.trades, self.costs_paid = 0, None, [], 0.0

    @property
    def side(self):
        return (self.shares > 0) - (self.shares < 0)

    def _cost(self, shares, price):
        return (
            self.costs.fee_per_fill
            + shares * self.costs.fee_per_share
            + shares * price * self.costs.half_spread_bps / 1e4
        )

    def enter(self, side, price, bar):
        shares = max(int((self.cash - self.costs.fee_per_fill) / price) + 2, 0)
        while shares > 0 and shares * price + self._cost(shares, price) > self.cash:
            shares -= 1
        if shares < 1:
            return
        cost = self._cost(shares, price)
        self.shares = side * shares
        self.cash -= self.shares * price + cost
        self.entry = {"bar": bar, "price": price, "cost": cost}

    def leave(self, price, bar):
        cost = self._cost(abs(self.shares), price)
        self.cash += self.shares * price - cost
        pnl = self.shares * (price - self.entry["price"]) - cost - self.entry["cost"]
        self.trades.append(
            {
                "entry": self.entry["bar"],
                "exit": bar,
                "side": self.side,
                "shares": abs(self.shares),
                "entry_price": self.entry["price"],
                "exit_price": price,
                "costs": cost + self.entry["cost"],
                "pnl": pnl,
            }
        )
        self.costs_paid += cost + self.entry["cost"]
        self.shares = 0


def simulate(sessions, setting, costs, starting_cash):  # noqa: C901 - the rules, one after the other
    """Return (trades, equity after each bar).

    sessions : list of {"last_minute", "bars": [{"minute", "open", "high", "low", "close", "prediction", "real"}]}
    """
    account, equity, number = Account(starting_cash, costs), [], -1
    final_session = max((i for i, s in enumerate(sessions) if any(b["real"] for b in s["bars"])), default=-1)
    for index, session in enumerate(sessions):
        ends_flat = setting.flat_at_close or index == final_session
        real = [i for i, bar in enumerate(session["bars"]) if bar["real"]]
        decisions = {}  # bar of the session on which an order is due -> (wanted side, minute it was decided)
        for i, bar in enumerate(session["bars"]):
            number += 1
            if bar["real"]:
                price = _price(bar, setting.fill)
                wanted, decided = decisions.get(i, (None, None))
                may_enter = wanted not in (None, 0) and bar["minute"] - decided <= setting.delay_bars + MAX_WAIT_MINUTES
                may_enter = may_enter and not (ends_flat and bar["minute"] >= session["last_minute"])
                if account.side == 0:
                    if may_enter:
                        account.enter(wanted, price, number)
                elif setting.hold_bars > 0:
                    if number - account.entry["bar"] >= setting.hold_bars:
                        account.leave(price, number)
                elif wanted is not None and wanted != account.side:
                    account.leave(price, number)
                    if may_enter:
                        account.enter(wanted, price, number)
                if ends_flat and i == real[-1] and account.side != 0:
                    account.leave(bar["close"], number)
            equity.append(account.cash + account.shares * bar["close"])
            decisions[i + setting.delay_bars] = (_wanted(bar["prediction"], setting), bar["minute"])
    return account.trades, equity


def _wanted(prediction, setting):
    if math.isnan(prediction):
        return 0
    if prediction > setting.threshold:
        return 1
    return -1 if setting.side == "long_short" and prediction < -setting.threshold else 0


def _price(bar, fill):
    return {"open": bar["open"], "midpoint": (bar["high"] + bar["low"]) / 2, "close": bar["close"]}[fill.value]
