"""Splits, dividends and renames, and what they do to bars that were stored as traded.

Earlier bars are scaled so that the series has no step that was not the market's. With the actions whose ex-date lies
after a bar's day:

    split     prices / (new shares for one old), volume * the same
    dividend  prices * (1 - cash / close before the ex-date), volume as it was

`factor` of a dividend is that multiplier; where it is null it follows from the close (`with_factors`). LEAN's factor
files give both as products from each date to the last: `from_factors` takes them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from shared.contracts.datasets import CORPORATE_ACTIONS
from shared.contracts.sessions import all_sessions
from shared.contracts.splits import EXCHANGE_ZONE, PRICES, product_after

#: Factors this close to one are rounding, not an action.
_ROUNDING = 1e-6


class Kind(StrEnum):
    SPLIT = "split"
    DIVIDEND = "dividend"
    RENAME = "rename"


class Adjustment(StrEnum):
    """Which actions bars are adjusted for."""

    RAW = "raw"
    SPLIT = "split"
    #: splits and dividends
    ALL = "all"


def adjusted(bars: pl.DataFrame, days: pl.Series, actions: pl.DataFrame, how: Adjustment) -> pl.DataFrame:
    """Return bars (open, high, low, close, volume) as if every action of `actions` had always been.

    days    : the trading day of each bar, pl.Date
    actions : schema CORPORATE_ACTIONS; dividends must have their factor. Renames do nothing here.
    """
    if how is Adjustment.RAW or bars.is_empty():
        return bars
    kinds = {Kind.SPLIT: 1 / pl.col("value")} | ({Kind.DIVIDEND: pl.col("factor")} if how is Adjustment.ALL else {})
    to_prices, shares = np.ones(bars.height), np.ones(bars.height)
    for kind, multiplier in kinds.items():
        found = actions.filter(pl.col("kind") == kind.value).sort("ex_date")
        product = product_after(days, found["ex_date"], found.select(multiplier).to_series())
        to_prices *= product
        if kind is Kind.SPLIT:
            shares /= product
    return bars.with_columns(
        *(pl.col(name) * pl.Series(to_prices) for name in PRICES), volume=pl.col("volume") * pl.Series(shares)
    )


@dataclass(frozen=True, kw_only=True)
class Rename:
    """What was called `former` is called `symbol` from the day `on`."""

    symbol: str
    former: str
    on: date


@dataclass(frozen=True)
class Chapter:
    """A part of one instrument's history: it was called `symbol` in [start, end); None is without a bound."""

    symbol: str
    start: datetime | None
    end: datetime | None


def chapters(symbol: str, actions_of: Callable[[str], pl.DataFrame]) -> list[Chapter]:
    """Return what `symbol` was called before, oldest first, by the renames among `actions_of(name)`.

    A rename takes effect at midnight of its ex-date in New York.
    """
    found: list[Chapter] = []
    name, end = symbol, None
    while True:  # each rename is earlier than the one before
        renames = actions_of(name).filter(pl.col("kind") == Kind.RENAME.value).sort("ex_date")
        renames = renames.filter(pl.col("ex_date") < end.date()) if end else renames
        if renames.is_empty():
            return [Chapter(name, None, end), *found]
        day, former = renames.select("ex_date", "former").row(-1)
        start = datetime.combine(day, time(), ZoneInfo(EXCHANGE_ZONE)).astimezone(UTC)
        found.insert(0, Chapter(name, start, end))
        name, end = former, start


def with_factors(actions: pl.DataFrame, closes: Mapping[date, float]) -> pl.DataFrame:
    """Return the actions, dividends without a factor given one from `closes`: ex-date -> raw close before it.

    A dividend before whose ex-date there is no close scales no bar and gets 1, as does one that cannot be
    (`impossible_dividends`). Of a split on the same day the cash is taken to be for a new share.
    """
    found = actions.with_columns(close=_close_before(actions, closes), cash=_cash_of_old_share(actions))
    derived = pl.when(pl.col("cash") < pl.col("close")).then(1 - pl.col("cash") / pl.col("close")).otherwise(1.0)
    lacks = (pl.col("kind") == Kind.DIVIDEND.value) & pl.col("factor").is_null()
    return found.with_columns(factor=pl.when(lacks).then(derived).otherwise("factor")).drop("close", "cash")


@dataclass(frozen=True, kw_only=True)
class ImpossibleDividend:
    """More cash than the share cost: it adjusts nothing. `cash` is for one share of the day before the ex-date."""

    ex_date: date
    cash: float
    close_before: float
    source: str


def impossible_dividends(actions: pl.DataFrame, closes: Mapping[date, float]) -> list[ImpossibleDividend]:
    """Return the dividends without a factor that are not below the close before them, oldest first."""
    lacks = (pl.col("kind") == Kind.DIVIDEND.value) & pl.col("factor").is_null()
    found = actions.with_columns(close_before=_close_before(actions, closes), cash=_cash_of_old_share(actions))
    found = found.filter(lacks & (pl.col("cash") >= pl.col("close_before")))
    rows = found.sort("ex_date").select("ex_date", "cash", "close_before", "source").to_dicts()
    return [ImpossibleDividend(**row) for row in rows]


def _close_before(actions: pl.DataFrame, closes: Mapping[date, float]) -> pl.Series:
    return pl.Series([closes.get(day) for day in actions["ex_date"]], dtype=pl.Float64)


def _cash_of_old_share(actions: pl.DataFrame) -> pl.Series:
    splits = dict(actions.filter(pl.col("kind") == Kind.SPLIT.value).select("ex_date", "value").iter_rows())
    return actions["value"] * pl.Series([splits.get(day, 1.0) for day in actions["ex_date"]], dtype=pl.Float64)


def from_factors(symbol: str, factors: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return the actions that LEAN factors (date, price_factor, split_factor, reference_price; any order) are made of.

    A row's factors hold for days up to and including its date; the next session is the ex-date.
    """
    rows = factors.select("date", "price_factor", "split_factor", "reference_price").sort("date").rows()
    sessions = all_sessions().date
    found: list[tuple[object, ...]] = []
    for (day, price, split, reference), (_, next_price, next_split, _) in pairwise(rows):
        after = int(np.searchsorted(sessions, np.datetime64(day), side="right"))
        if after >= len(sessions):
            continue
        ex_date = sessions[after].astype("datetime64[D]").item()
        ratio, factor = next_split / split, price / next_price
        if abs(ratio - 1) > _ROUNDING:
            found.append((symbol, Kind.SPLIT.value, ex_date, _simple(ratio), None, None, source))
        if abs(factor - 1) > _ROUNDING:
            cash = round(reference * (1 - factor), 6)
            found.append((symbol, Kind.DIVIDEND.value, ex_date, cash, factor, None, source))
    return pl.DataFrame(found, schema=CORPORATE_ACTIONS.schema, orient="row")


def _simple(ratio: float) -> float:
    """Return the simple fraction next to a ratio of rounded numbers, the ratio itself when none is near."""
    near = Fraction(ratio).limit_denominator(50)
    return float(near) if abs(float(near) / ratio - 1) < 1e-4 else ratio
