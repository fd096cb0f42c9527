"""The synthetic market: minute bars that are a pure function of (seed, symbol, year).

A symbol's year is made in one piece:
1. Minute log returns = volatility x (edge + innovation); the innovation mixes the market's with the symbol's own.
   The edge looks only at returns of the same session that came before (see universe.PLANTED_EDGE).
2. Nights add a gap. Each year starts and ends at anchor prices that depend on nothing but the seed: what the year's
   returns miss is spread evenly over its nights, so intraday returns stay untouched, every year can be made without
   the years before, and prices stay near the listing's, where a cent is a small part of a minute's move.
3. A bar's open is the previous close moved by the first instant of the minute; high and low are drawn from the exact
   law of the extremes of a Brownian bridge between open and close; all are rounded to cents.
4. Volume follows the smile and the size of the move; a thin symbol has minutes without a trade, which have no bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from shared.contracts.sessions import MINUTE_US
from simulated_exchange.universe import (
    EDGE_CLIP,
    EDGE_LOOKBACK,
    EDGE_MINUTES,
    FIRST_YEAR,
    INDEX,
    LAST_YEAR,
    LISTINGS,
    Listing,
)
from simulated_exchange.weather import MINUTES, Array, Weather, heavy_tailed, smile, stream, weather_of

#: Share of a minute's variance that has passed at the first trade: the open is near the previous close.
OPEN_SHARE = 1 / 60
#: An overnight gap's sd in parts of a session's.
GAP_SHARE = 0.5
#: Share of VOLX's distance to its target that a minute closes: half a day's memory.
PULL = 1 / 200

BAR_SCHEMA = pl.Schema(
    {
        "ts": pl.Datetime("us", "UTC"),
        "t": pl.String,
        "o": pl.Float64,
        "h": pl.Float64,
        "l": pl.Float64,
        "c": pl.Float64,
        "v": pl.Int64,
        "n": pl.Int64,
        "vw": pl.Float64,
    }
)


@dataclass(frozen=True)
class Market:
    """The whole market of one seed; `bars` makes a year on first use and keeps it."""

    seed: int = 7

    def bars(self, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the bars of [start, end) in BAR_SCHEMA, sorted by time; empty for what is not listed."""
        if symbol not in LISTINGS:
            return BAR_SCHEMA.to_frame()
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        first, last = max(start.year, FIRST_YEAR), min(end.year, LAST_YEAR)
        years = [_year(self.seed, symbol, year) for year in range(first, last + 1)]
        parts = [_between(frame, start, end) for frame in years]
        return pl.concat(parts) if parts else BAR_SCHEMA.to_frame()


def _between(frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    first, last = (int(frame["ts"].search_sorted(moment, side="left")) for moment in (start, end))
    return frame.slice(first, max(last - first, 0))


@lru_cache(maxsize=LAST_YEAR - FIRST_YEAR + 1)
def _weather(seed: int, year: int) -> Weather:
    return weather_of(seed, year)


@lru_cache(maxsize=len(LISTINGS) * (LAST_YEAR - FIRST_YEAR + 1))
def _year(seed: int, symbol: str, year: int) -> pl.DataFrame:
    """Return all bars of `symbol` in `year`."""
    listing, weather = LISTINGS[symbol], _weather(seed, year)
    rng = stream(seed, symbol, year)
    sigma = weather.volatility * listing.daily_sd
    if symbol == INDEX:
        returns, gaps = _index_returns(listing, weather, rng), np.zeros(len(weather.level))
    else:
        returns, gaps = _stock_returns(listing, weather, rng, sigma)
    live = np.arange(MINUTES)[None, :] < weather.sessions.minutes[:, None]
    returns = np.where(live, returns, 0.0)
    gaps = _anchored(gaps, returns, _anchor(seed, listing, year), _anchor(seed, listing, year + 1))
    close = np.cumsum(gaps + np.concatenate([[0.0], returns.sum(axis=1)[:-1]]))[:, None] + np.cumsum(returns, axis=1)
    return _bars(listing, weather, rng, np.log(listing.price) + close, returns, sigma, live)


def _anchor(seed: int, listing: Listing, year: int) -> float:
    """Return the log distance from the listing's price at the start of `year`."""
    spread = 0.08 if listing.symbol != INDEX else 0.0
    return float(spread * stream(seed, f"anchor {listing.symbol}", year).standard_normal())


def _anchored(gaps: Array, returns: Array, begin: float, end: float) -> Array:
    """Return the nights' log returns so that the year goes from anchor to anchor; shape (sessions,)."""
    missing = end - begin - gaps.sum() - returns.sum()
    nights = gaps + missing / len(gaps)
    nights[0] += begin
    return nights


def _stock_returns(listing: Listing, weather: Weather, rng: np.random.Generator, sigma: Array) -> tuple[Array, Array]:
    """Return minute log returns (sessions, 390) and night gaps (sessions,)."""
    share, own = listing.market_share, np.sqrt(1 - listing.market_share**2)
    innovations = share * weather.market + own * heavy_tailed(rng, weather.market.shape)
    drift = weather.drift[:, None] / MINUTES
    noise = sigma * innovations + drift
    returns = _with_edge(noise, sigma, listing.edge) if listing.edge else noise
    gaps = share * weather.gap + own * heavy_tailed(rng, weather.gap.shape)
    return returns, GAP_SHARE * listing.daily_sd * weather.level * gaps


def _with_edge(noise: Array, sigma: Array, edge: float) -> Array:
    """Add the planted mean to each minute that has one; minute by minute, since each looks at those before."""
    returns = noise.copy()
    variance = np.cumsum(sigma**2, axis=1)
    for minute in range(EDGE_LOOKBACK, EDGE_MINUTES):
        past = returns[:, minute - EDGE_LOOKBACK : minute].sum(axis=1)
        before = variance[:, minute - EDGE_LOOKBACK - 1] if minute > EDGE_LOOKBACK else 0.0
        x = past / np.sqrt(variance[:, minute - 1] - before)
        returns[:, minute] += edge * sigma[:, minute] * np.clip(-x, -EDGE_CLIP, EDGE_CLIP)
    return returns


def _index_returns(listing: Listing, weather: Weather, rng: np.random.Generator) -> Array:
    """Return minute log returns of the volatility index: pulled to the day's volatility, shocked against the market."""
    share, own = listing.market_share, np.sqrt(1 - listing.market_share**2)
    shocks = share * weather.market + own * heavy_tailed(rng, weather.market.shape)
    shocks *= listing.daily_sd * smile() / np.sqrt(MINUTES)
    target = 0.5 * np.log(weather.level / weather.level.mean())
    lengths = weather.sessions.minutes
    # deviations inside each day as if it began at its target; the day's true beginning then fades by (1 - PULL)^k
    inside = np.empty_like(shocks)
    value = np.zeros(len(target))
    for minute in range(MINUTES):
        value = (1 - PULL) * value + shocks[:, minute]
        inside[:, minute] = value
    fade = (1 - PULL) ** np.arange(1, MINUTES + 1)
    levels, begin = np.empty_like(shocks), 0.0
    returns = np.empty_like(shocks)
    for day, length in enumerate(lengths):
        levels[day] = target[day] + (begin - target[day]) * fade + inside[day]
        returns[day] = np.diff(levels[day], prepend=begin)
        begin = levels[day, length - 1]
    return returns


def _bars(
    listing: Listing,
    weather: Weather,
    rng: np.random.Generator,
    close: Array,
    returns: Array,
    sigma: Array,
    live: npt.NDArray[np.bool_],
) -> pl.DataFrame:
    """Return the bars around the log closes: opens, extremes, volume, and which minutes trade at all."""
    quick = rng.standard_normal(close.shape) * sigma * np.sqrt(OPEN_SHARE)
    opening = close - returns + OPEN_SHARE * returns + quick
    high, low = (_extreme(rng, opening, close, sigma, side) for side in (1, -1))
    rounded = np.stack([np.round(np.exp(price), 2) for price in (opening, high, low, close)])
    size = np.minimum(np.abs(returns) / sigma, 6.0)  # the heavy tail is the price's, not the volume's
    volume = (
        listing.mean_volume * smile() ** 1.5 * np.exp(0.35 * (size - 0.7) + 0.45 * rng.standard_normal(close.shape))
    )
    volume = np.maximum(np.round(volume), 1.0 if listing.mean_volume else 0.0).astype(np.int64)
    shown = live & (rng.random(close.shape) >= listing.silent)
    stamps = weather.sessions.open_us[:, None] + np.arange(MINUTES)[None, :] * MINUTE_US
    columns = {
        "o": rounded[0],
        "h": rounded.max(axis=0),
        "l": rounded.min(axis=0),
        "c": rounded[3],
        "v": volume,
        "n": (volume + 79) // 80,
    }
    frame = pl.DataFrame({name: values[shown] for name, values in columns.items()})
    return (
        frame.with_columns(
            ts=pl.Series(stamps[shown]).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            vw=((pl.col("o") + pl.col("h") + pl.col("l") + pl.col("c")) / 4).round(4),
        )
        .with_columns(t=pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
        .select(BAR_SCHEMA.names())
    )


def _extreme(rng: np.random.Generator, begin: Array, end: Array, sigma: Array, side: int) -> Array:
    """Return the highest (side 1) or lowest (-1) point of a Brownian bridge from `begin` to `end`.

    The maximum m of a bridge from a to b with variance s^2 has P(M > m) = exp(-2 (m - a)(m - b) / s^2); solved for m
    (Karatzas and Shreve, Brownian Motion and Stochastic Calculus, 4.3.40).
    """
    spread = (end - begin) ** 2 - 2 * sigma**2 * np.log(1 - rng.random(begin.shape))
    return (begin + end + side * np.sqrt(spread)) / 2
