"""The same simulation once more, slow and plain: one bar after the other, an order book of dated decisions, no arrays.

A market is a list of sessions {"last_minute", "date", "bars": [{"minute", "open", "high", "low", "close",
"prediction", "real", "volume", "regime", "bot"}]}.
"""

from __future__ import annotations

import math
from statistics import fmean, stdev

Z_LEAST = 20


class Account:
    """Cash and whole shares, and the log of what was traded."""

    def __init__(self, cash, costs, ranges):
        self.cash, self.costs, self.ranges = cash, costs, ranges
        self.side, self.shares, self.entry, self.trades = 0, 0, {}, []

    def cost(self, shares, price, bar):
        c, value = self.costs, shares * price
        fees = c.fee_per_fill + max(shares * c.fee_per_share + value * c.fee_bps / 1e4, c.fee_minimum)
        part = shares / bar["volume"] if bar["volume"] > shares else 1.0
        slip = value * (c.half_spread_bps + c.slippage_bps) / 1e4 + shares * self.ranges[bar["number"]] * c.slippage_atr
        return fees + slip + value * c.volume_impact * part**2

    def enter(self, side, price, bar, setting):
        money = self.cash * (setting.size if setting.sizing == "fraction" else 1.0)
        shares = int(setting.size) if setting.sizing == "shares" else max(int(money / price) + 2, 0)
        while shares > 0 and shares * price + self.cost(shares, price, bar) > money:
            shares = 0 if setting.sizing == "shares" else shares - 1
        limit = math.inf if self.costs.participation is None else self.costs.participation * bar["volume"]
        shares = 0 if math.isnan(limit) else math.floor(min(shares, limit))
        if shares >= 1:
            self.side, self.shares = side, shares
            self.entry = {"bar": bar["number"], "price": price, "cost": self.cost(shares, price, bar)}
            self.cash -= side * shares * price + self.entry["cost"]

    def leave(self, bar, price, reason):
        entry, cost = self.entry, self.cost(self.shares, price, bar)
        if self.side > 0:
            cost = min(cost, self.cash + self.shares * price)
        self.cash += self.side * self.shares * price - cost
        pnl = self.side * self.shares * (price - entry["price"]) - cost - entry["cost"]
        results = cost + entry["cost"], pnl, pnl / (self.shares * entry["price"]), reason
        self.trades.append((entry["bar"], bar["number"], self.side, self.shares, entry["price"], price, *results))
        self.side, self.shares = 0, 0


def simulate(sessions, setting, costs, starting_cash, *, day_orders=True):  # noqa: C901, PLR0912, PLR0915 - the rules
    """Return (trades, equity after each bar)."""
    bars = [bar for session in sessions for bar in session["bars"]]
    for number, bar in enumerate(bars):
        bar["number"] = number
    account, equity, due, free_from = Account(starting_cash, costs, true_ranges(sessions)), [], {}, 0
    said, fill = decisions(sessions, bars, setting), setting.fill.value
    final = max((i for i, s in enumerate(sessions) if any(b["real"] for b in s["bars"])), default=-1)
    for index, session in enumerate(sessions):
        ends_flat = setting.flat_at_close or index == final
        last_real = max((bar["number"] for bar in session["bars"] if bar["real"]), default=-1)
        if account.side < 0:  # who lent the shares is paid for every calendar night
            nights = session["date"] - sessions[index - 1]["date"]
            fee = account.shares * bars[len(equity) - 1]["close"] * costs.borrow_rate * nights / 360
            account.cash, account.entry["cost"] = account.cash - fee, account.entry["cost"] + fee
        due = {} if day_orders else due
        for bar in session["bars"]:
            number, minute, out = bar["number"], bar["minute"], None
            price = bar[fill] if fill != "midpoint" else (bar["high"] + bar["low"]) / 2
            due[number + setting.delay_bars] = (*said[number], minute)
            wanted, allowed, trusted, decided = due.pop(number, (None, True, False, 0))
            if bar["real"]:
                if account.side and fill != "open":
                    out = resting(account, bar, setting, held=True)
                if account.side and not out:
                    held = number - account.entry["bar"]
                    if not allowed:
                        out = price, "regime"
                    elif 0 < (setting.hold_bars or setting.time_stop_bars) <= held:
                        out = price, "time"
                    elif wanted not in {None, account.side} and not setting.hold_bars and held >= setting.min_hold_bars:
                        out = price, "signal"
                if out:
                    account.leave(bar, *out)
                    free_from = number + 1 + setting.cooldown_bars
                turns = out and out[1] == "signal" and setting.cooldown_bars == 0
                fresh = not day_orders or minute - decided <= setting.delay_bars + 15
                last = session["last_minute"] - max(setting.skip_last_minutes, int(ends_flat))
                gate = fresh and setting.skip_first_minutes <= minute <= last
                if wanted and trusted and gate and not account.side and (turns or number >= free_from):
                    account.enter(wanted, price, bar, setting)
                new, out = account.entry.get("bar") == number, None
                if account.side and (fill == "open" or (new and fill == "midpoint")):
                    out = resting(account, bar, setting, held=not new)
                if not out and account.side and ends_flat and number == last_real:
                    out = bar["close"], "close"
                if not out and account.side < 0 and account.cash <= account.shares * bar["close"]:
                    out = bar["close"], "bust"
                if out:
                    account.leave(bar, *out)
                    free_from = number + 1 + setting.cooldown_bars
            equity.append(account.cash + account.side * account.shares * bar["close"])
    return account.trades, equity


def resting(account, bar, setting, *, held):
    """Return (price, reason) when a stop or a limit order takes the position out inside the bar."""
    side, paid = account.side, account.entry["price"]
    stop = paid * (1 - side * setting.stop_loss) if setting.stop_loss else -side * math.inf
    goal = paid * (1 + side * setting.take_profit) if setting.take_profit else side * math.inf
    worst, best = (bar["low"], bar["high"]) if side > 0 else (bar["high"], bar["low"])
    if held and side * bar["open"] <= side * stop:
        return bar["open"], "stop"
    if held and side * bar["open"] >= side * goal:
        return bar["open"], "profit"
    if side * worst <= side * stop:
        return stop, "stop"
    return (goal, "profit") if (held or setting.fill.value == "open") and side * best >= side * goal else None


def decisions(sessions, bars, s):
    """Return (wanted side, whether the regime allows it, whether the bot does) at each bar's close."""
    scores = [bar["prediction"] - (bar["close"] if s.signal.value == "price" else 0) for bar in bars]
    firsts, out, returns, wild, past = {session["bars"][0]["number"] for session in sessions}, [], [], [], []
    for i, (bar, score) in enumerate(zip(bars, scores, strict=True)):
        if i not in firsts:
            returns.append(math.log(bar["close"] / bars[i - 1]["close"]))
        scale = 1.0
        if s.volatility_scaled:
            wild += [stdev(returns[-s.volatility_bars :])] if len(returns) >= s.volatility_bars else []
            scale = wild[-1] / fmean(wild) if any(wild) else math.nan
        usual = past[-s.z_bars :]
        spread = stdev(usual) if len(usual) >= Z_LEAST else math.nan
        distance = abs(score - fmean(usual)) if usual else math.nan
        strange = s.z_limit is not None and not (distance < 1e-12 if spread == 0 else distance / spread <= s.z_limit)
        past += [] if math.isnan(score) else [score]
        low = 1 - s.threshold if s.signal.value == "probability" else -s.threshold * scale
        side = (score > s.threshold * scale) - (score < low)
        side = 0 if strange or (s.side == "long_flat" and side < 0) or (s.side == "short_flat" and side > 0) else side
        allowed = s.regime is None or bar["regime"] in s.regime_states
        out.append((side if allowed else 0, allowed, s.bot_threshold is None or bar["bot"] > s.bot_threshold))
    return out


def true_ranges(sessions):
    """Return the mean true range of the 14 bars before each bar, of its own on the first."""
    ranges = []
    for session in sessions:
        for bar, before in zip(session["bars"], [None, *session["bars"]], strict=False):
            closes = [before["close"]] if before else []
            ranges.append(max(bar["high"], *closes, bar["low"]) - min(bar["low"], *closes, bar["high"]))
    return [fmean(ranges[max(i - 14, 0) : i] or ranges[:1]) for i in range(len(ranges))]
