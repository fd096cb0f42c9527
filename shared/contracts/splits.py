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
