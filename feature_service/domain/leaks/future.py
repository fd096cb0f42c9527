"""What the past explains, what the future adds.

1. Every row of the column gets a description of its past: returns, distances, ranges and volume over several spans,
   the session so far, the time of day. What these do not explain of the column is its remainder.
2. `lags`: what is new in a bar (return, size of the move, volume, each less its forecast from the bars before it) is
   unpredictable by construction, so it must not correlate with the remainder of an earlier row. All lags up to a
   session are tried.
3. `block`: returns, moves and extremes of the next 1 to 60 bars, to the session's end and to the next session are
   regressed on together. Their share of the remainder is compared with the same regression on histories whose days
   were exchanged, which knows nothing of the day in question but has the same habits.

A forecast may correlate with the future honestly. What it cannot do is explain more of it than a market leaves
unexplained to everybody else: hence the thresholds, far above any honest minute forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feature_service.domain import rolling
from feature_service.domain.bars import Bars, FloatArray, Int64Array

HORIZONS = (1, 2, 3, 5, 10, 15, 30, 60)
MAX_LAG = 400
#: histories with exchanged days that the future's share is compared with
EXCHANGES = 99
#: a remainder smaller than this part of the column's variance is rounding
_ROUNDING = 1e-10


@dataclass(frozen=True)
class Described:
    """Past and future of each bar, and what was new in it; NaN where undefined. Made once for many columns.

    valid : rows where past and future are defined; basis : orthonormal, of the past and of what it leaves of the future
    """

    past: FloatArray
    future: FloatArray
    news: dict[str, FloatArray]
    session: Int64Array
    valid: npt.NDArray[np.bool_]
    basis: tuple[FloatArray, FloatArray]


def describe(bars: Bars) -> Described:
    """Return the description of every bar of `bars`."""
    past, future = _past(bars), _future(bars)
    returns = _returns(bars)
    volume = np.log1p(np.nan_to_num(bars.volume))
    before = np.vstack([np.full((1, past.shape[1]), np.nan), past[:-1]])
    # the next bar's time of day is known beforehand, and its volatility and volume hang on it
    forecast = np.column_stack([before, _clock(bars)])
    news = _news(np.column_stack([returns, np.abs(returns), volume]), forecast)
    session = np.cumsum(np.arange(len(bars)) == bars.first)
    valid = np.asarray(~(np.isnan(past).any(axis=1) | np.isnan(future).any(axis=1)))
    return Described(
        past,
        future,
        dict(zip(("return", "move", "volume"), news.T, strict=True)),
        session,
        valid,
        _bases(past[valid], future[valid]),
    )


@dataclass(frozen=True)
class Rest:
    """What the past leaves open of a column: `values` on the rows `known`; all 0 when only rounding is left."""

    known: npt.NDArray[np.bool_]
    values: FloatArray
    future: FloatArray


def rest_of(described: Described, column: FloatArray) -> Rest:
    """Return what the past leaves open of `column`, one value a bar of `described`, NaN where it has none."""
    known = described.valid & ~np.isnan(column)
    past, future = described.basis
    if known.sum() < described.valid.sum():
        past, future = _bases(described.past[known], described.future[known])
    values = column[known] - column[known].mean()
    rest = values - past @ (past.T @ values)
    rounding = float(rest @ rest) <= _ROUNDING * float(values @ values)
    return Rest(known, np.zeros_like(rest) if rounding else rest, future)


@dataclass(frozen=True)
class LagHit:
    correlation: float
    lag: int
    news: str


def strongest_lag(described: Described, rest: Rest) -> LagHit:
    """Return the later bar whose news correlate most with what the past leaves open."""
    best = LagHit(0.0, 1, "return")
    if not np.any(rest.values):
        return best
    placed = np.zeros(len(rest.known))
    placed[rest.known] = rest.values
    for name, news in described.news.items():
        correlation = _correlations(placed, rest.known, news)
        lag = int(np.argmax(np.abs(correlation)))
        if abs(correlation[lag]) > abs(best.correlation):
            best = LagHit(float(correlation[lag]), lag + 1, name)
    return best


@dataclass(frozen=True)
class BlockHit:
    """`share` of the remainder that the future explains; `exchanged` the most that a wrong future did."""

    share: float
    exchanged: float
    rows: int


def future_share(described: Described, rest: Rest) -> BlockHit:
    """Return how much of what the past leaves open the future explains."""
    values, rows = rest.values, len(rest.values)
    total = float(values @ values)
    if total == 0:
        return BlockHit(0.0, 0.0, rows)
    share = float(np.sum((rest.future.T @ values) ** 2)) / total
    exchanged = np.column_stack(_exchanges(values, described.session[rest.known]))
    return BlockHit(share, float(np.max(np.sum((rest.future.T @ exchanged) ** 2, axis=0))) / total, rows)


def next_trade_share(bars: Bars, at: Int64Array, moved: FloatArray) -> BlockHit:
    """Return how much of `moved` the next trade explains: a column's move since bar `at`, in minutes without one."""
    close, returns = np.log(bars.close), _returns(bars)
    usable = (at >= 2) & (at + 2 < len(bars))
    row = at[usable]
    past = np.column_stack([close[row], returns[row], returns[row - 1], np.abs(returns[row]), _clock(bars)[row]])
    future = np.column_stack([returns[row + 1], np.abs(returns[row + 1]), returns[row + 2]])
    rest = _remainder(moved[usable], past)
    if not np.any(rest):
        return BlockHit(0.0, 0.0, len(row))
    basis = np.linalg.qr(_standard(_residuals(future, past)))[0]
    total = float(rest @ rest)
    # moved by at least the longest silence: by less, most rows would keep the next trade that is theirs
    silent = int(np.bincount(row).max())
    steps = np.linspace(silent, len(rest) - silent, EXCHANGES).astype(int)
    exchanged = [float(np.sum((basis.T @ np.roll(rest, int(step))) ** 2)) / total for step in steps]
    return BlockHit(float(np.sum((basis.T @ rest) ** 2)) / total, max(exchanged), len(row))


def _exchanges(rest: FloatArray, session: Int64Array) -> list[FloatArray]:
    """Return `rest` moved on by whole sessions, round the end, in up to `EXCHANGES` ways."""
    starts = np.flatnonzero(np.diff(session, prepend=session[0] - 1))
    chosen = starts[1:][:: max(1, (len(starts) - 1) // EXCHANGES)][:EXCHANGES]
    return [np.roll(rest, int(start)) for start in chosen]


def _correlations(rest: FloatArray, known: npt.NDArray[np.bool_], news: FloatArray) -> FloatArray:
    """Return the correlation of rest[t] with news[t + lag] for lag 1..MAX_LAG; by FFT."""
    heard = ~np.isnan(news)
    clean = np.where(heard, news, 0.0)
    size = 1 << int(np.ceil(np.log2(len(rest) + MAX_LAG + 1)))

    def crossed(left: FloatArray, right: FloatArray) -> FloatArray:
        product = np.fft.irfft(np.conj(np.fft.rfft(left, size)) * np.fft.rfft(right, size), size)
        return product[1 : MAX_LAG + 1]

    together = crossed(rest, clean)
    squares = crossed(rest**2, heard.astype(float)) * crossed(known.astype(float), clean**2)
    pairs = crossed(known.astype(float), heard.astype(float))
    enough = (pairs > MAX_LAG) & (squares > 0)
    return np.where(enough, together / np.sqrt(np.where(enough, squares, 1.0)), 0.0)


def _returns(bars: Bars) -> FloatArray:
    """Return ln(C_t / C_{t-1}), over nights too; the first is 0."""
    return np.diff(np.log(bars.close), prepend=np.log(bars.close[:1]))


def _clock(bars: Bars) -> FloatArray:
    day = bars.minute / 390.0
    waves = [np.sin(2 * np.pi * k * day) for k in (1, 2, 3)] + [np.cos(2 * np.pi * k * day) for k in (1, 2, 3)]
    # buckets of higher timeframes, counted from the open and from the full hour: a range so far grows within them
    waves += [bars.minute % width / width for width in (5, 15, 30, 60)] + [(bars.minute + 30) % 60 / 60]
    return np.column_stack([day, np.exp(-bars.minute / 20.0), np.exp((bars.minute - 390) / 20.0), *waves])


def _past(bars: Bars) -> FloatArray:
    """Return what bars up to each one say; shape (n, k)."""
    close, returns = np.log(bars.close), _returns(bars)
    moves, reach = np.abs(returns), np.log(bars.high / bars.low)
    volume = np.log1p(np.nan_to_num(bars.volume))
    columns = [np.ones(len(bars)), bars.close, close, close**2, bars.open, bars.high, bars.low, moves, reach, volume]
    columns += [_moved(returns, lag) for lag in range(6)] + [_moved(moves, lag) for lag in (1, 2)]
    for span in (5, 10, 20, 60, 200):
        columns += [close - rolling.mean(close, span), close - _moved(close, span)]
        columns += [rolling.mean(moves, span), rolling.std(returns, span), rolling.mean(reach, span)]
        columns += [rolling.highest(np.log(bars.high), span) - close, rolling.lowest(np.log(bars.low), span) - close]
        columns += [rolling.mean(volume, span)]
    night = close[np.maximum(bars.first - 1, 0)]
    opened = np.log(bars.open[bars.first])
    columns += [close - opened, opened - night, close - night, _so_far(np.log(bars.high), bars.first) - close]
    columns += [-_so_far(-np.log(bars.low), bars.first) - close]
    for width, since in ((15, 0), (30, 0), (60, 0), (60, 30)):
        begin = _bucket_starts(bars, width, since)
        columns += [_so_far(np.log(bars.high), begin) - close, -_so_far(-np.log(bars.low), begin) - close]
    return np.column_stack([*columns, _clock(bars), bars.weekday == 0, bars.weekday == 4])


def _bucket_starts(bars: Bars, width: int, since: int) -> Int64Array:
    """Return for each bar the first row of its bucket of `width` minutes, counted from `since` before the open."""
    bucket = bars.first * 1000 + (bars.minute + since) // width
    begins = np.diff(bucket, prepend=-1) != 0
    return np.maximum.accumulate(np.where(begins, np.arange(len(bars)), 0))


def _future(bars: Bars) -> FloatArray:
    """Return what bars after each one say; shape (n, k), NaN where they are not known yet."""
    close, n = np.log(bars.close), len(bars)
    high, low, moves = np.log(bars.high), np.log(bars.low), np.abs(_returns(bars))
    columns = list[FloatArray]()
    for span in HORIZONS:
        top, bottom = (rolling.highest(high, span), rolling.lowest(low, span)) if span > 1 else (high, low)
        columns += [_moved(close, -span) - close, _moved(rolling.mean(moves, span), -span)]
        columns += [_moved(top, -span) - close, _moved(bottom, -span) - close]
    last = np.append(bars.first[1:][np.diff(bars.first) > 0] - 1, n - 1)
    end = last[np.searchsorted(last, np.arange(n))]
    columns += [close[end] - close]
    columns += [-_to_go(-high, end) - close, _to_go(low, end) - close]
    morrow = np.where(end + 1 < n, end + 1, -1)
    later = np.where(morrow >= 0, np.log(bars.open[morrow]) - close, np.nan)
    following = np.where(morrow >= 0, close[end[morrow]] - close, np.nan)
    volume = np.log1p(np.nan_to_num(bars.volume))
    columns += [later, following, _moved(volume, -1), _moved(rolling.mean(volume, 5), -5)]
    return np.column_stack(columns)


def _moved(values: FloatArray, lag: int) -> FloatArray:
    """Return values[t - lag]; NaN beyond the ends."""
    moved = np.full(len(values), np.nan)
    if lag > 0:
        moved[lag:] = values[:-lag]
    elif lag < 0:
        moved[:lag] = values[-lag:]
    else:
        moved[:] = values
    return moved


def _so_far(values: FloatArray, first: Int64Array) -> FloatArray:
    """Return the maximum since the session's first bar."""
    starts = np.unique(first)
    return np.concatenate([np.maximum.accumulate(part) for part in np.split(values, starts[1:])])


def _to_go(values: FloatArray, end: Int64Array) -> FloatArray:
    """Return the minimum over the session's later bars; the bar's own in its last."""
    parts = np.split(values, np.unique(end)[:-1] + 1)
    reversed_parts = [np.minimum.accumulate(part[::-1])[::-1] for part in parts]
    return np.concatenate([np.append(part[1:], part[-1]) for part in reversed_parts])


def _standard(matrix: FloatArray) -> FloatArray:
    centred = matrix - matrix.mean(axis=0)
    scale = centred.std(axis=0)
    return centred[:, scale > 0] / scale[scale > 0]


def _bases(past: FloatArray, future: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return orthonormal columns that span the past, and what the past leaves of the future; neither has NaN."""
    first = np.linalg.qr(np.column_stack([np.ones(len(past)), _standard(past)]))[0]
    return first, np.linalg.qr(_standard(future - first @ (first.T @ future)))[0]


def _residuals(matrix: FloatArray, past: FloatArray) -> FloatArray:
    """Return what `past` leaves open of each column of `matrix`; neither has NaN."""
    basis = np.linalg.qr(np.column_stack([np.ones(len(past)), _standard(past)]))[0]
    return matrix - basis @ (basis.T @ matrix)


def _news(seen: FloatArray, forecast: FloatArray) -> FloatArray:
    """Return what `forecast` leaves open of each column of `seen`, NaN where it is not defined."""
    news = np.full(seen.shape, np.nan)
    known = ~np.isnan(forecast).any(axis=1)
    news[known] = _residuals(seen[known] - seen[known].mean(axis=0), forecast[known])
    return news


def _remainder(values: FloatArray, past: FloatArray) -> FloatArray:
    """Return what `past` leaves open of `values`, NaN where either is; all 0 when only rounding is left."""
    rest = np.full(len(values), np.nan)
    known = ~(np.isnan(values) | np.isnan(past).any(axis=1))
    if known.sum() <= past.shape[1]:
        return rest
    centred = values[known] - values[known].mean()
    rest[known] = _residuals(centred[:, None], past[known])[:, 0]
    if float(np.var(rest[known])) <= _ROUNDING * float(np.var(centred)):
        rest[known] = 0.0
    return rest
