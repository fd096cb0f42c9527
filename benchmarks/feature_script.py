"""The rest of the catalogue as a plain pandas script has it: what pandas has no function for is a loop over rows.

Written for reading, as one writes such a script: groupby for sessions, rolling.apply and numpy inside loops. With
`with_pandas` of `feature_peers` it makes all columns of a symbol that need no other symbol and no estimation.
"""

# ruff: noqa: PLR0915 - a script as people write them is one long list
from __future__ import annotations

import numpy as np
import pandas as pd


def the_rest(d: pd.DataFrame) -> dict[str, pd.Series]:
    c, h, low, v = d["close"], d["high"], d["low"], d["volume"]
    ts = d["ts"].dt.tz_convert("America/New_York")
    day = ts.dt.date
    r = np.log(c / c.shift())
    columns: dict[str, pd.Series] = {}

    # trend strength
    true_range = pd.concat([h - low, (h - c.shift()).abs(), (low - c.shift()).abs()], axis=1).max(axis=1)
    up, down = h.diff(), -low.diff()
    smooth = {"alpha": 1 / 14, "adjust": False}
    spread = true_range.ewm(**smooth).mean()
    columns["plus_di_14"] = 100 * up.where((up > down) & (up > 0), 0).ewm(**smooth).mean() / spread
    columns["minus_di_14"] = 100 * down.where((down > up) & (down > 0), 0).ewm(**smooth).mean() / spread
    plus, minus = columns["plus_di_14"], columns["minus_di_14"]
    columns["adx_14"] = (100 * (plus - minus).abs() / (plus + minus)).ewm(**smooth).mean()
    typical = (h + low + c) / 3
    apart = typical.rolling(20).apply(lambda window: np.abs(window - window.mean()).mean(), raw=True)
    columns["cci_20"] = (typical - typical.rolling(20).mean()) / (0.015 * apart)
    low9, high9 = low.rolling(9).min(), h.rolling(9).max()
    columns["kdj_k"] = (100 * (c - low9) / (high9 - low9)).ewm(alpha=1 / 3, adjust=False).mean()
    columns["kdj_d"] = columns["kdj_k"].ewm(alpha=1 / 3, adjust=False).mean()
    columns["kdj_j"] = 3 * columns["kdj_k"] - 2 * columns["kdj_d"]

    atr10 = true_range.ewm(alpha=1 / 10, adjust=False).mean()
    middle = (h + low) / 2
    upper, lower = (middle + 3 * atr10).to_numpy().copy(), (middle - 3 * atr10).to_numpy().copy()
    side, line = np.ones(len(d)), lower.copy()
    close = c.to_numpy()
    for t in range(1, len(d)):
        upper[t] = min(upper[t], upper[t - 1]) if close[t - 1] <= upper[t - 1] else upper[t]
        lower[t] = max(lower[t], lower[t - 1]) if close[t - 1] >= lower[t - 1] else lower[t]
        if side[t - 1] > 0:
            side[t] = -1 if close[t] < lower[t] else 1
        else:
            side[t] = 1 if close[t] > upper[t] else -1
        line[t] = lower[t] if side[t] > 0 else upper[t]
    columns["supertrend_side"] = pd.Series(side)
    columns["supertrend_dist"] = (c - line) / c

    # sessions and the clock
    first_open = d.groupby(day)["open"].transform("first")
    columns["return_since_open"] = np.log(c / first_open)
    money, shares = (typical * v).groupby(day).cumsum(), v.groupby(day).cumsum()
    columns["session_vwap"] = money / shares
    columns["dist_vwap"] = c / columns["session_vwap"] - 1
    sessions = d.groupby(day).agg(high=("high", "max"), low=("low", "min"), close=("close", "last")).shift()
    before = sessions.loc[day].reset_index(drop=True)
    columns["overnight_gap"] = np.log(first_open / before["close"])
    columns["prior_high_dist"], columns["prior_low_dist"] = c / before["high"] - 1, c / before["low"] - 1
    pivot = before.mean(axis=1)
    columns["floor_pivot_dist"] = c / pivot - 1
    columns["floor_r1_dist"] = c / (2 * pivot - before["low"]) - 1
    columns["floor_s1_dist"] = c / (2 * pivot - before["high"]) - 1
    minute = ts.dt.hour * 60 + ts.dt.minute
    columns["time_sin"], columns["time_cos"] = np.sin(2 * np.pi * minute / 1440), np.cos(2 * np.pi * minute / 1440)
    weekday = ts.dt.weekday
    columns["day_of_week_sin"] = np.sin(2 * np.pi * weekday / 5)
    columns["day_of_week_cos"] = np.cos(2 * np.pi * weekday / 5)
    columns["minutes_since_open"], columns["minutes_to_close"] = minute - 570, 959 - minute
    r15 = np.log(c / c.shift(15))
    columns["return_z_15"] = r15 / r15.rolling(390).std()
    columns["atr_ratio_15"] = true_range.ewm(alpha=1 / 15, adjust=False).mean() / c
    signed = np.sign(c.diff()) * v
    columns["obv_slope_20"] = signed.rolling(20).sum() / v.rolling(20).sum()
    columns["regime_sma"] = (c > c.rolling(200).mean()).astype(float)
    columns["regime_sma_dist"] = (c - c.rolling(200).mean()) / (c * r.rolling(390).std())

    # support and resistance
    is_high = h == h.rolling(21, center=True).max()
    is_low = low == low.rolling(21, center=True).min()
    above, below = np.full(len(d), 0.05), np.full(len(d), 0.05)
    highs: list[float] = []
    lows: list[float] = []
    for t in range(10, len(d)):
        if is_high.iat[t - 10]:
            highs = [*highs[-19:], h.iat[t - 10]]
        if is_low.iat[t - 10]:
            lows = [*lows[-19:], low.iat[t - 10]]
        gaps = np.array(highs + lows) / close[t] - 1
        above[t] = min(0.05, gaps[gaps >= 0].min(initial=0.05))
        below[t] = min(0.05, (-gaps[gaps <= 0]).min(initial=0.05))
    columns["pivot_resistance_dist"], columns["pivot_support_dist"] = pd.Series(above), pd.Series(below)

    bins = np.floor(np.log(typical) / 0.001).astype(int).to_numpy()
    volume, here = v.to_numpy(), np.log(close)
    node, busy_above, busy_below = np.full(len(d), np.nan), np.full(len(d), 0.05), np.full(len(d), 0.05)
    for t in range(1949, len(d)):
        base = bins[t - 1949 : t + 1].min()
        profile = np.bincount(bins[t - 1949 : t + 1] - base, weights=volume[t - 1949 : t + 1])
        centres = (base + np.arange(len(profile)) + 0.5) * 0.001 - here[t]
        near = np.abs(centres) <= 0.05
        node[t] = -centres[near][profile[near].argmax()] if near.any() else 0
        padded = np.concatenate([[0], profile, [0]])
        busy = (profile >= padded[:-2]) & (profile > padded[2:]) & (profile > profile[profile > 0].mean())
        gaps = centres[busy & near]
        busy_above[t] = gaps[gaps >= 0].min(initial=0.05)
        busy_below[t] = (-gaps[gaps < 0]).min(initial=0.05)
    columns["volume_node_dist"] = pd.Series(node)
    columns["volume_resistance_dist"], columns["volume_support_dist"] = pd.Series(busy_above), pd.Series(busy_below)
    return columns
