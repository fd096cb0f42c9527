"""Columns that know the future, each beside its clean twin, which is the same idea done with the past alone.

Each takes bars (ts, open, high, low, close, volume) and context by role and returns `ts` and `value`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
from scipy import interpolate, ndimage, signal

from feature_service.domain.leaks.recompute import Function

Series = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True)
class Planted:
    """A leak and its twin.

    bare : whether the column alone gives it away; what only a fit or a revision knows leaves no trace in it
    dated : whether two vintages do; a gap that the next bar filled is never the end of a vintage
    """

    name: str
    leaky: Function
    clean: Function
    bare: bool = True
    dated: bool = True


def _on_bars(series: Series) -> Function:
    def function(bars: pl.DataFrame, context: object) -> pl.DataFrame:
        del context
        data = pd.DataFrame({name: bars[name].to_numpy() for name in bars.columns if name != "ts"})
        stamps = pd.DatetimeIndex(bars["ts"].dt.replace_time_zone(None).to_numpy())
        data["ts"] = stamps
        data["day"] = stamps.normalize()
        data["minute"] = stamps.hour * 60 + stamps.minute
        data["r"] = np.log(data.close).diff()
        return pl.DataFrame({"ts": bars["ts"], "value": series(data).to_numpy(dtype=float)}).with_columns(
            pl.col("value").fill_nan(None)
        )

    return function


def rsi(data: pd.DataFrame) -> pd.Series:
    up = data.r.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    down = (-data.r).clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    return 100 * up / (up + down + 1e-12)


def trend(data: pd.DataFrame) -> pd.Series:
    return data.close / data.close.ewm(span=50, adjust=False).mean() - 1


def _states(data: pd.DataFrame) -> pd.DataFrame:
    quiet = np.log(data.r.rolling(60).std() + 1e-8)
    return pd.DataFrame({"rsi": rsi(data), "trend": trend(data), "vol": quiet, "z": data.r, "v": np.log1p(data.volume)})


def _pairs() -> list[Planted]:
    def pair(name: str, leaky: Series, clean: Series, *, bare: bool = True) -> Planted:
        return Planted(name, _on_bars(leaky), _on_bars(clean), bare)

    def centred(width: int) -> Planted:
        return pair(
            f"centred mean of {width}",
            lambda d: d.close / d.close.rolling(width, center=True).mean() - 1,
            lambda d: d.close / d.close.rolling(width).mean() - 1,
        )

    def unclosed(minutes: int, name: str) -> Planted:
        def bucket(d: pd.DataFrame) -> pd.Series:
            return d.day.astype("int64") + d.minute // minutes

        return pair(
            f"unclosed {name} bar",
            lambda d: np.log(d.groupby(bucket(d)).close.transform("last")),
            lambda d: _closed(d, bucket(d)),
        )

    def _closed(d: pd.DataFrame, bucket: pd.Series) -> pd.Series:
        ends = d.close.where(bucket != bucket.shift(-1))
        return np.log(ends.shift(1).ffill())

    return [
        pair("next bar's return", lambda d: d.r.shift(-1), lambda d: d.r.shift(1)),
        pair("RSI of 5 bars later", lambda d: rsi(d).shift(-5), lambda d: rsi(d).shift(5)),
        pair("trend of 30 bars later", lambda d: trend(d).shift(-30), lambda d: trend(d).shift(30)),
        pair("volume of 2 bars later", lambda d: d.volume.shift(-2), lambda d: d.volume.shift(2)),
        *map(centred, (5, 21, 101)),
        pair(
            "centred sd of 21",
            lambda d: d.r.rolling(21, center=True).std(),
            lambda d: d.r.rolling(21).std(),
        ),
        pair("full-sample z-score", lambda d: _z(rsi(d)), lambda d: _expanding_z(rsi(d))),
        pair("full-sample min-max", lambda d: _min_max(trend(d)), lambda d: _rolling_min_max(trend(d))),
        pair(
            "full-sample quantiles",
            lambda d: trend(d).rank() / len(d),
            lambda d: trend(d).rolling(390).rank(pct=True),
        ),
        pair("full-sample robust scaler", lambda d: _robust(trend(d)), lambda d: _rolling_robust(trend(d))),
        pair("full-sample winsorising", lambda d: _clip(trend(d)), lambda d: _rolling_clip(trend(d))),
        pair("full-sample detrending", _detrended, lambda d: d.close - d.close.rolling(390).mean()),
        pair("global PCA", lambda d: _component(d, len(d)), lambda d: _component(d, 3000)),
        pair("full-history mixture", lambda d: _mixture(d, len(d)), lambda d: _mixture(d, 3000), bare=False),
        unclosed(5, "5m"),
        unclosed(15, "15m"),
        unclosed(60, "1h"),
        unclosed(1440, "1d"),
        pair(
            "unclosed 1h range",
            lambda d: _hourly(d).high.transform("max") / _hourly(d).low.transform("min") - 1,
            lambda d: _hourly(d).high.cummax() / _hourly(d).low.cummin() - 1,
        ),
        pair(
            "session's high beforehand",
            lambda d: d.groupby("day").high.transform("max") / d.close - 1,
            lambda d: d.groupby("day").high.cummax() / d.close - 1,
        ),
        pair(
            "session's low beforehand",
            lambda d: d.groupby("day").low.transform("min") / d.close - 1,
            lambda d: d.groupby("day").low.cummin() / d.close - 1,
        ),
        pair("target with noise", lambda d: _target(d, -15), lambda d: _target(d, 15)),
        pair("filtfilt", lambda d: _butter(d, signal.filtfilt), lambda d: _butter(d, signal.lfilter)),
        pair(
            "Savitzky-Golay, centred",
            lambda d: d.close / signal.savgol_filter(d.close, 31, 2) - 1,
            lambda d: d.close / _endpoints(d.close.to_numpy()) - 1,
        ),
        pair("Fourier low-pass", _fourier, lambda d: d.close / d.close.ewm(span=30).mean() - 1),
        pair(
            "backward EMA",
            lambda d: d.close[::-1].ewm(span=20).mean()[::-1] / d.close - 1,
            lambda d: d.close.ewm(span=20).mean() / d.close - 1,
        ),
        pair(
            "Gaussian smoothing",
            lambda d: pd.Series(ndimage.gaussian_filter1d(d.close.to_numpy(), 5)) / d.close - 1,
            lambda d: d.close.ewm(com=5).mean() / d.close - 1,
        ),
        pair("pivots marked at once", _pivots, lambda d: _pivots(d).shift(5)),
        pair("mean next return by minute", _encoded, _encoded_before),
    ]


def _hourly(d: pd.DataFrame):
    return d.groupby(d.day.astype("int64") + d.minute // 60)


def _z(s: pd.Series) -> pd.Series:
    return (s - s.mean()) / s.std()


def _expanding_z(s: pd.Series) -> pd.Series:
    return (s - s.expanding(100).mean()) / s.expanding(100).std()


def _min_max(s: pd.Series) -> pd.Series:
    return (s - s.min()) / (s.max() - s.min())


def _rolling_min_max(s: pd.Series) -> pd.Series:
    low, high = s.rolling(390).min(), s.rolling(390).max()
    return (s - low) / (high - low)


def _robust(s: pd.Series) -> pd.Series:
    return (s - s.median()) / (s.quantile(0.75) - s.quantile(0.25))


def _rolling_robust(s: pd.Series) -> pd.Series:
    window = s.rolling(390)
    return (s - window.median()) / (window.quantile(0.75) - window.quantile(0.25))


def _clip(s: pd.Series) -> pd.Series:
    return s.clip(s.quantile(0.01), s.quantile(0.99))


def _rolling_clip(s: pd.Series) -> pd.Series:
    window = s.rolling(390)
    return s.clip(window.quantile(0.01), window.quantile(0.99))


def _detrended(d: pd.DataFrame) -> pd.Series:
    return pd.Series(signal.detrend(d.close.to_numpy()))


def _component(d: pd.DataFrame, rows: int) -> pd.Series:
    """Project on the first principal component of the first `rows` rows; those have no value themselves."""
    states = _states(d).iloc[100:]
    seen = states.iloc[: rows - 100]
    z = (states - seen.mean()) / seen.std()
    axis = np.linalg.eigh(z.iloc[: rows - 100].cov())[1][:, -1]
    axis *= np.sign(axis[np.argmax(np.abs(axis))])
    values = (z @ axis).reindex(d.index)
    return values if rows == len(d) else values.where(d.index >= rows)


def _mixture(d: pd.DataFrame, rows: int) -> pd.Series:
    from sklearn.mixture import GaussianMixture

    states = _states(d)[["vol", "trend"]].iloc[100:]
    seen = states.iloc[: rows - 100]
    model = GaussianMixture(3, random_state=0).fit(((seen - seen.mean()) / seen.std()).to_numpy())
    order = np.argsort(np.argsort(model.means_[:, 0]))
    labels = order[model.predict(((states - seen.mean()) / seen.std()).to_numpy())]
    values = pd.Series(labels, index=states.index, dtype=float).reindex(d.index)
    return values if rows == len(d) else values.where(d.index >= rows)


def _target(d: pd.DataFrame, lag: int) -> pd.Series:
    noise = np.random.default_rng(5).normal(size=10**6)[: len(d)]
    past = np.log(d.close).diff(abs(lag))
    move = past.shift(lag) if lag < 0 else past
    return move + 0.002 * noise


def _butter(d: pd.DataFrame, filtered) -> pd.Series:
    b, a = signal.butter(2, 0.1)
    log = np.log(d.close.to_numpy())
    return pd.Series(filtered(b, a, log - log[0]) - (log - log[0]))


def _endpoints(close: np.ndarray) -> np.ndarray:
    """The parabola through each bar's last 31 closes, at its end."""
    fitted = signal.lfilter(signal.savgol_coeffs(31, 2, pos=30, use="conv"), 1, close)
    return np.where(np.arange(len(close)) < 30, np.nan, fitted)


def _fourier(d: pd.DataFrame) -> pd.Series:
    spectrum = np.fft.rfft(d.close.to_numpy())
    spectrum[len(spectrum) // 20 :] = 0
    return d.close / np.fft.irfft(spectrum, len(d)) - 1


def _pivots(d: pd.DataFrame) -> pd.Series:
    top = d.high.rolling(11, center=True).max()
    return (d.high == top).astype(float).where(top.notna())


def _encoded(d: pd.DataFrame) -> pd.Series:
    return d.r.shift(-1).groupby(d.minute).transform("mean")


def _encoded_before(d: pd.DataFrame) -> pd.Series:
    """The mean over earlier days; the target of a minute is known a minute later."""
    target = d.r.shift(-1)
    grouped = target.groupby(d.minute)
    return grouped.cumsum().groupby(d.minute).shift(1) / grouped.cumcount()


def _on_every_minute(fill: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Function:
    """Every minute between a session's first and last bar, those without a trade filled by `fill(x, y, at)`."""

    def function(bars: pl.DataFrame, context: object) -> pl.DataFrame:
        del context
        ts = bars["ts"].to_physical().to_numpy() // 60_000_000
        day = ts // 1440
        grid = np.concatenate([np.arange(ts[day == one][0], ts[day == one][-1] + 1) for one in np.unique(day)])
        value = fill(ts, np.log(bars["close"].to_numpy()), grid)
        return pl.DataFrame({"ts": pl.Series(grid * 60_000_000).cast(bars["ts"].dtype), "value": value})

    return function


def _forward(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    return y[np.searchsorted(x, at, side="right") - 1]


def _backward(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    return y[np.searchsorted(x, at, side="left")]


def _spline(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    return interpolate.CubicSpline(x, y)(at)


def _from_context(strategy: str, print_: str) -> Function:
    """The context's return, joined as-of in the direction `strategy`, of its first or last (`print_`) known print."""

    def function(bars: pl.DataFrame, context) -> pl.DataFrame:
        other = context["market"].sort("ts", *(["known_at"] if "known_at" in context["market"].columns else []))
        other = other.unique("ts", keep=print_, maintain_order=True)
        level = other.select("ts", value=pl.col("close").log().diff())
        return bars.select("ts").join_asof(level, on="ts", strategy=strategy, allow_exact_matches=strategy != "forward")

    return function


INTERPOLATED = [
    Planted(name, _on_every_minute(fill), _on_every_minute(_forward), dated=False)
    for name, fill in {
        "bars interpolated linearly": lambda x, y, at: np.interp(at, x, y),
        "bars interpolated by a spline": _spline,
        "backward fill": _backward,
    }.items()
]
CONTEXT = [
    Planted("context of the next bar", _from_context("forward", "first"), _from_context("backward", "first")),
    Planted("revised context", _from_context("backward", "last"), _from_context("backward", "first"), bare=False),
]
PLANTED = [*_pairs(), *INTERPOLATED, *CONTEXT]
