"""The catalogue's features as one would write them with pandas, with polars and with the `ta` library.

Each returns named columns of the same bars; names are the catalogue's. What several columns need is computed once:
in pandas by hand, in polars by its optimiser, in `ta` as far as its classes do.
"""

# ruff: noqa: PLR0915 - a script as people write them is one long list
from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl


def with_pandas(d: pd.DataFrame) -> dict[str, pd.Series]:
    c, h, low, v = d["close"], d["high"], d["low"], d["volume"]
    r = np.log(c / c.shift())
    sma20, sd20 = c.rolling(20).mean(), c.rolling(20).std(ddof=0)
    ema = {n: c.ewm(span=n, adjust=False).mean() for n in (9, 12, 21, 26)}
    macd = ema[12] - ema[26]
    signal = macd.ewm(span=9, adjust=False).mean()
    low14, high14 = low.rolling(14).min(), h.rolling(14).max()
    low50, high50 = low.rolling(50).min(), h.rolling(50).max()
    k = 100 * (c - low14) / (high14 - low14)
    move = c.diff()
    gain = move.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    loss = (-move.clip(upper=0)).ewm(alpha=1 / 14, adjust=False).mean()
    true_range = pd.concat([h - low, (h - c.shift()).abs(), (low - c.shift()).abs()], axis=1).max(axis=1)
    typical = (h + low + c) / 3
    money = typical * v
    flow = np.sign(typical.diff()) * money
    place = (2 * c - h - low) / (h - low)
    vol = {n: np.sqrt((r**2).rolling(n).mean()) for n in (15, 30, 60, 390)}
    columns = {f"sma_{n}": c.rolling(n).mean() for n in (50, 200)} | {"sma_20": sma20}
    columns |= {f"sma_{n}_dist": c / columns[f"sma_{n}"] - 1 for n in (20, 50, 200)}
    columns |= {f"ema_{n}": one for n, one in ema.items()}
    columns |= {f"ema_{n}_dist": c / one - 1 for n, one in ema.items()}
    columns |= {"macd_line": macd / c, "macd_signal": signal / c, "macd_hist": (macd - signal) / c}
    columns |= {"stochastic_k": k, "stochastic_d": k.rolling(3).mean(), "williams_r_14": k - 100}
    columns |= {"rsi_14": 100 - 100 / (1 + gain / loss), "atr_14": true_range.ewm(alpha=1 / 14, adjust=False).mean()}
    columns |= {f"roc_{n}": c / c.shift(n) - 1 for n in (10, 60)}
    columns |= {"bollinger_upper": sma20 + 2 * sd20, "bollinger_lower": sma20 - 2 * sd20}
    columns |= {"bollinger_width": 4 * sd20 / sma20, "bollinger_pct_b": (c - sma20 + 2 * sd20) / (4 * sd20)}
    columns |= {f"realised_vol_{n}": vol[n] for n in (30, 390)} | {"vol_ratio_60": vol[15] / vol[60]}
    columns["parkinson_vol_20"] = np.sqrt((np.log(h / low) ** 2).rolling(20).mean() / (4 * np.log(2)))
    columns["return_z_score_20"] = (r - r.rolling(20).mean()) / r.rolling(20).std()
    columns["vol_adj_mom_20"] = np.log(c / c.shift(20)) / (r.rolling(20).std() * np.sqrt(20))
    columns |= {f"price_z_score_{n}": (c - c.rolling(n).mean()) / c.rolling(n).std(ddof=0) for n in (20, 60, 390)}
    columns |= {"donchian_upper_50": high50, "donchian_lower_50": low50}
    columns["donchian_pos_50"] = (c - low50) / (high50 - low50)
    columns["obv"] = (np.sign(c.diff()) * v).fillna(0).cumsum()
    columns["volume_rel_20"] = np.log((1 + v) / (1 + v.rolling(20).mean().shift()))
    columns["volume_change"] = np.log((1 + v) / (1 + v.shift()))
    columns["amihud_illiquidity"] = 1e9 * (r.abs() / (c * v).where(v > 0)).rolling(20, min_periods=1).mean()
    columns["intraday_intensity"] = place * v
    columns["intraday_intensity_20"] = (place * v).rolling(20).sum() / v.rolling(20).sum()
    columns["mfi_14"] = 50 + 50 * flow.rolling(14).sum() / flow.abs().rolling(14).sum()
    columns["ibs"] = (c - low) / (h - low)
    columns["efficiency_ratio_20"] = (c - c.shift(20)).abs() / move.abs().rolling(20).sum()
    columns |= {f"log_return_{n}m": np.log(c / c.shift(n)) for n in (1, 5, 15, 30, 60)}
    return columns | {f"log_return_1m_lag_{n}": r.shift(n) for n in (1, 2, 3, 4, 5)}


def with_polars(d: pl.DataFrame) -> pl.DataFrame:
    c, h, low, v = pl.col("close"), pl.col("high"), pl.col("low"), pl.col("volume")
    r = (c / c.shift()).log()
    sma20, sd20 = c.rolling_mean(20), c.rolling_std(20, ddof=0)
    ema = {n: c.ewm_mean(span=n, adjust=False) for n in (9, 12, 21, 26)}
    macd = ema[12] - ema[26]
    signal = macd.ewm_mean(span=9, adjust=False)
    low14, high14, low50, high50 = low.rolling_min(14), h.rolling_max(14), low.rolling_min(50), h.rolling_max(50)
    k = 100 * (c - low14) / (high14 - low14)
    move = c.diff()
    gain = move.clip(lower_bound=0).ewm_mean(alpha=1 / 14, adjust=False)
    loss = (-move.clip(upper_bound=0)).ewm_mean(alpha=1 / 14, adjust=False)
    true_range = pl.max_horizontal(h - low, (h - c.shift()).abs(), (low - c.shift()).abs())
    typical = (h + low + c) / 3
    flow = typical.diff().sign() * typical * v
    place = (2 * c - h - low) / (h - low)
    vol = {n: (r**2).rolling_mean(n).sqrt() for n in (15, 30, 60, 390)}
    columns = {f"sma_{n}": c.rolling_mean(n) for n in (50, 200)} | {"sma_20": sma20}
    columns |= {f"sma_{n}_dist": c / columns[f"sma_{n}"] - 1 for n in (20, 50, 200)}
    columns |= {f"ema_{n}": one for n, one in ema.items()}
    columns |= {f"ema_{n}_dist": c / one - 1 for n, one in ema.items()}
    columns |= {"macd_line": macd / c, "macd_signal": signal / c, "macd_hist": (macd - signal) / c}
    columns |= {"stochastic_k": k, "stochastic_d": k.rolling_mean(3), "williams_r_14": k - 100}
    columns |= {"rsi_14": 100 - 100 / (1 + gain / loss), "atr_14": true_range.ewm_mean(alpha=1 / 14, adjust=False)}
    columns |= {f"roc_{n}": c / c.shift(n) - 1 for n in (10, 60)}
    columns |= {"bollinger_upper": sma20 + 2 * sd20, "bollinger_lower": sma20 - 2 * sd20}
    columns |= {"bollinger_width": 4 * sd20 / sma20, "bollinger_pct_b": (c - sma20 + 2 * sd20) / (4 * sd20)}
    columns |= {f"realised_vol_{n}": vol[n] for n in (30, 390)} | {"vol_ratio_60": vol[15] / vol[60]}
    columns["parkinson_vol_20"] = (((h / low).log() ** 2).rolling_mean(20) / (4 * np.log(2))).sqrt()
    columns["return_z_score_20"] = (r - r.rolling_mean(20)) / r.rolling_std(20)
    columns["vol_adj_mom_20"] = (c / c.shift(20)).log() / (r.rolling_std(20) * np.sqrt(20))
    columns |= {f"price_z_score_{n}": (c - c.rolling_mean(n)) / c.rolling_std(n, ddof=0) for n in (20, 60, 390)}
    columns |= {"donchian_upper_50": high50, "donchian_lower_50": low50}
    columns["donchian_pos_50"] = (c - low50) / (high50 - low50)
    columns["obv"] = (c.diff().sign() * v).fill_null(0).cum_sum()
    columns["volume_rel_20"] = ((1 + v) / (1 + v.rolling_mean(20).shift())).log()
    columns["volume_change"] = ((1 + v) / (1 + v.shift())).log()
    columns["amihud_illiquidity"] = 1e9 * (r.abs() / pl.when(v > 0).then(c * v)).rolling_mean(20, min_samples=1)
    columns["intraday_intensity"] = place * v
    columns["intraday_intensity_20"] = (place * v).rolling_sum(20) / v.rolling_sum(20)
    columns["mfi_14"] = 50 + 50 * flow.rolling_sum(14) / flow.abs().rolling_sum(14)
    columns["ibs"] = (c - low) / (h - low)
    columns["efficiency_ratio_20"] = (c - c.shift(20)).abs() / move.abs().rolling_sum(20)
    columns |= {f"log_return_{n}m": (c / c.shift(n)).log() for n in (1, 5, 15, 30, 60)}
    columns |= {f"log_return_1m_lag_{n}": r.shift(n) for n in (1, 2, 3, 4, 5)}
    return d.lazy().select(**columns).collect()


def with_ta(d: pd.DataFrame) -> dict[str, Any]:
    from ta import momentum, trend, volatility, volume

    o = {"high": d["high"], "low": d["low"], "close": d["close"]}
    c, v = d["close"], d["volume"]
    macd = trend.MACD(c)
    stochastic = momentum.StochasticOscillator(**o)
    bands = volatility.BollingerBands(c)
    channel = volatility.DonchianChannel(**o, window=50)
    directional = trend.ADXIndicator(**o)
    columns = {f"sma_{n}": trend.SMAIndicator(c, n).sma_indicator() for n in (20, 50, 200)}
    columns |= {f"ema_{n}": trend.EMAIndicator(c, n).ema_indicator() for n in (9, 12, 21, 26)}
    return columns | {
        "macd_line": macd.macd(),
        "macd_signal": macd.macd_signal(),
        "macd_hist": macd.macd_diff(),
        "stochastic_k": stochastic.stoch(),
        "stochastic_d": stochastic.stoch_signal(),
        "williams_r_14": momentum.WilliamsRIndicator(**o).williams_r(),
        "rsi_14": momentum.RSIIndicator(c).rsi(),
        "roc_10": momentum.ROCIndicator(c, 10).roc(),
        "mfi_14": volume.MFIIndicator(**o, volume=v).money_flow_index(),
        "bollinger_upper": bands.bollinger_hband(),
        "bollinger_lower": bands.bollinger_lband(),
        "bollinger_width": bands.bollinger_wband(),
        "bollinger_pct_b": bands.bollinger_pband(),
        "atr_14": volatility.AverageTrueRange(**o).average_true_range(),
        "adx_14": directional.adx(),
        "plus_di_14": directional.adx_pos(),
        "minus_di_14": directional.adx_neg(),
        "cci_20": trend.CCIIndicator(**o).cci(),
        "donchian_upper_50": channel.donchian_channel_hband(),
        "donchian_lower_50": channel.donchian_channel_lband(),
        "donchian_pos_50": channel.donchian_channel_pband(),
        "obv": volume.OnBalanceVolumeIndicator(c, v).on_balance_volume(),
    }
