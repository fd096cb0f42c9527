"""Columns that know the future, each beside its clean twin, which is the same idea done with the past alone.

Each takes bars (ts, open, high, low, close, volume) and context by role and returns `ts` and `value`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import planted_arithmetic as plain
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
        pair("RSI of 5 bars later", lambda d: plain.rsi(d).shift(-5), lambda d: plain.rsi(d).shift(5)),
        pair("trend of 30 bars later", lambda d: plain.trend(d).shift(-30), lambda d: plain.trend(d).shift(30)),
        pair("volume of 2 bars later", lambda d: d.volume.shift(-2), lambda d: d.volume.shift(2)),
        *map(centred, (5, 21, 101)),
        pair(
            "centred sd of 21",
            lambda d: d.r.rolling(21, center=True).std(),
            lambda d: d.r.rolling(21).std(),
        ),
        pair(
            "full-sample z-score",
            lambda d: plain.z(plain.rsi(d)),
            lambda d: plain.expanding_z(plain.rsi(d)),
        ),
        pair(
            "full-sample min-max",
            lambda d: plain.min_max(plain.trend(d)),
            lambda d: plain.rolling_min_max(plain.trend(d)),
        ),
        pair(
            "full-sample quantiles",
            lambda d: plain.trend(d).rank() / len(d),
            lambda d: plain.trend(d).rolling(390).rank(pct=True),
        ),
        pair(
            "full-sample robust scaler",
            lambda d: plain.robust(plain.trend(d)),
            lambda d: plain.rolling_robust(plain.trend(d)),
        ),
        pair(
            "full-sample winsorising",
            lambda d: plain.clip(plain.trend(d)),
            lambda d: plain.rolling_clip(plain.trend(d)),
        ),
        pair("full-sample detrending", plain.detrended, lambda d: d.close - d.close.rolling(390).mean()),
        pair("global PCA", lambda d: plain.component(d, len(d)), lambda d: plain.component(d, 3000)),
        pair(
            "full-history mixture",
            lambda d: plain.mixture(d, len(d)),
            lambda d: plain.mixture(d, 3000),
            bare=False,
        ),
        unclosed(5, "5m"),
        unclosed(15, "15m"),
        unclosed(60, "1h"),
        unclosed(1440, "1d"),
        pair(
            "unclosed 1h range",
            lambda d: plain.hourly(d).high.transform("max") / plain.hourly(d).low.transform("min") - 1,
            lambda d: plain.hourly(d).high.cummax() / plain.hourly(d).low.cummin() - 1,
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
        pair("target with noise", lambda d: plain.target(d, -15), lambda d: plain.target(d, 15)),
        pair("filtfilt", lambda d: plain.butter(d, signal.filtfilt), lambda d: plain.butter(d, signal.lfilter)),
        pair(
            "Savitzky-Golay, centred",
            lambda d: d.close / signal.savgol_filter(d.close, 31, 2) - 1,
            lambda d: d.close / plain.endpoints(d.close.to_numpy()) - 1,
        ),
        pair("Fourier low-pass", plain.fourier, lambda d: d.close / d.close.ewm(span=30).mean() - 1),
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
        pair("pivots marked at once", plain.pivots, lambda d: plain.pivots(d).shift(5)),
        pair(
            "share of the session's volume",
            lambda d: d.volume / d.groupby("day").volume.transform("sum"),
            lambda d: d.volume / d.groupby("day").volume.cumsum(),
        ),
        pair(
            "volume over its minute's mean",
            lambda d: d.volume / d.groupby("minute").volume.transform("mean"),
            lambda d: d.volume / d.groupby("minute").volume.transform(lambda v: v.shift(1).expanding().mean()),
        ),
        pair("mean next return by minute", plain.encoded, plain.encoded_before),
    ]


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
