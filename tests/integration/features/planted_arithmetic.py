"""The arithmetic of planted leaks: each of the whole sample or of later rows beside one of the past alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import signal


def rsi(data: pd.DataFrame) -> pd.Series:
    up = data.r.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    down = (-data.r).clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    return 100 * up / (up + down + 1e-12)


def trend(data: pd.DataFrame) -> pd.Series:
    return data.close / data.close.ewm(span=50, adjust=False).mean() - 1


def all_states(data: pd.DataFrame) -> pd.DataFrame:
    quiet = np.log(data.r.rolling(60).std() + 1e-8)
    return pd.DataFrame({"rsi": rsi(data), "trend": trend(data), "vol": quiet, "z": data.r, "v": np.log1p(data.volume)})


def hourly(d: pd.DataFrame):
    return d.groupby(d.day.astype("int64") + d.minute // 60)


def z(s: pd.Series) -> pd.Series:
    return (s - s.mean()) / s.std()


def expanding_z(s: pd.Series) -> pd.Series:
    return (s - s.expanding(100).mean()) / s.expanding(100).std()


def min_max(s: pd.Series) -> pd.Series:
    return (s - s.min()) / (s.max() - s.min())


def rolling_min_max(s: pd.Series) -> pd.Series:
    low, high = s.rolling(390).min(), s.rolling(390).max()
    return (s - low) / (high - low)


def robust(s: pd.Series) -> pd.Series:
    return (s - s.median()) / (s.quantile(0.75) - s.quantile(0.25))


def rolling_robust(s: pd.Series) -> pd.Series:
    window = s.rolling(390)
    return (s - window.median()) / (window.quantile(0.75) - window.quantile(0.25))


def clip(s: pd.Series) -> pd.Series:
    return s.clip(s.quantile(0.01), s.quantile(0.99))


def rolling_clip(s: pd.Series) -> pd.Series:
    window = s.rolling(390)
    return s.clip(window.quantile(0.01), window.quantile(0.99))


def detrended(d: pd.DataFrame) -> pd.Series:
    return pd.Series(signal.detrend(d.close.to_numpy()))


def component(d: pd.DataFrame, rows: int) -> pd.Series:
    """Project on the first principal component of the first `rows` rows; those have no value themselves."""
    states = all_states(d).iloc[100:]
    seen = states.iloc[: rows - 100]
    z = (states - seen.mean()) / seen.std()
    axis = np.linalg.eigh(z.iloc[: rows - 100].cov())[1][:, -1]
    axis *= np.sign(axis[np.argmax(np.abs(axis))])
    values = (z @ axis).reindex(d.index)
    return values if rows == len(d) else values.where(d.index >= rows)


def mixture(d: pd.DataFrame, rows: int) -> pd.Series:
    from sklearn.mixture import GaussianMixture

    states = all_states(d)[["vol", "trend"]].iloc[100:]
    seen = states.iloc[: rows - 100]
    model = GaussianMixture(3, random_state=0).fit(((seen - seen.mean()) / seen.std()).to_numpy())
    order = np.argsort(np.argsort(model.means_[:, 0]))
    labels = order[model.predict(((states - seen.mean()) / seen.std()).to_numpy())]
    values = pd.Series(labels, index=states.index, dtype=float).reindex(d.index)
    return values if rows == len(d) else values.where(d.index >= rows)


def target(d: pd.DataFrame, lag: int) -> pd.Series:
    noise = np.random.default_rng(5).normal(size=10**6)[: len(d)]
    past = np.log(d.close).diff(abs(lag))
    move = past.shift(lag) if lag < 0 else past
    return move + 0.002 * noise


def butter(d: pd.DataFrame, filtered) -> pd.Series:
    b, a = signal.butter(2, 0.1)
    log = np.log(d.close.to_numpy())
    return pd.Series(filtered(b, a, log - log[0]) - (log - log[0]))


def endpoints(close: np.ndarray) -> np.ndarray:
    """The parabola through each bar's last 31 closes, at its end."""
    fitted = signal.lfilter(signal.savgol_coeffs(31, 2, pos=30, use="conv"), 1, close)
    return np.where(np.arange(len(close)) < 30, np.nan, fitted)


def fourier(d: pd.DataFrame) -> pd.Series:
    spectrum = np.fft.rfft(d.close.to_numpy())
    spectrum[len(spectrum) // 20 :] = 0
    return d.close / np.fft.irfft(spectrum, len(d)) - 1


def pivots(d: pd.DataFrame) -> pd.Series:
    top = d.high.rolling(11, center=True).max()
    return (d.high == top).astype(float).where(top.notna())


def encoded(d: pd.DataFrame) -> pd.Series:
    return d.r.shift(-1).groupby(d.minute).transform("mean")


def encoded_before(d: pd.DataFrame) -> pd.Series:
    """The mean over earlier days; the target of a minute is known a minute later."""
    target = d.r.shift(-1)
    grouped = target.groupby(d.minute)
    return grouped.cumsum().groupby(d.minute).shift(1) / grouped.cumcount()
