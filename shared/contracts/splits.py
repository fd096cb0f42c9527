"""What splits do to bars that were stored as traded: one arithmetic for every service that reads them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

EXCHANGE_ZONE = "America/New_York"
PRICES = ("open", "high", "low", "close")


def trading_days(ts: pl.Series) -> pl.Series:
    """Return the exchange's calendar day of each instant."""
    return ts.dt.convert_time_zone(EXCHANGE_ZONE).dt.date()


def product_after(days: pl.Series, ex_dates: pl.Series, multipliers: pl.Series) -> npt.NDArray[np.float64]:
    """Return for each day the product of the multipliers whose ex-date is later; `ex_dates` ascend."""
    products = np.append(np.cumprod(multipliers.to_numpy()[::-1])[::-1], 1.0)
    return products[np.searchsorted(ex_dates.to_physical().to_numpy(), days.to_physical().to_numpy(), side="right")]


def split_multipliers(days: pl.Series, actions: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Return what prices of each day are multiplied by to stand on the last day's basis; volume is divided by it.

    days    : ascending, pl.Date, not empty; splits after the last of them are not looked at
    actions : schema CORPORATE_ACTIONS; only splits count
    """
    known = actions.filter((pl.col("kind") == "split") & (pl.col("ex_date") <= days[-1])).sort("ex_date")
    return product_after(days, known["ex_date"], 1 / known["value"])


def splits_among(ts: pl.Series, actions: pl.DataFrame) -> pl.DataFrame:
    """Return the splits that bars meet: those after the first bar's day and not after the last's, by ex-date.

    ts      : bar starts, ascending
    actions : schema CORPORATE_ACTIONS; only splits count
    """
    if ts.is_empty() or actions.is_empty():
        return actions.clear()
    first, last = trading_days(ts[[0, -1]])
    inside = pl.col("ex_date").is_between(first, last, closed="right")
    return actions.filter((pl.col("kind") == "split") & inside).sort("ex_date")


def in_last_shares(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Return bars (ts ascending, prices and volume as traded) in the shares of their last day.

    Bars that meet no split come back as they are.
    """
    splits = splits_among(bars["ts"], actions)
    if splits.is_empty():
        return bars
    basis = pl.Series(split_multipliers(trading_days(bars["ts"]), splits))
    return bars.with_columns(pl.col(*PRICES) * basis, pl.col("volume") / basis)
