"""Steps between sessions that look like a split nobody told of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ingestion_service.domain.actions import Kind

#: New shares for one old that companies choose; the inverse are reverse splits.
_RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 100.0)
#: How far the step may be off the ratio, in log: what the market moves overnight.
_TOLERANCE = 0.06
#: Days without a bar after which a step says nothing: the market may have gone there by itself. Holidays are shorter.
_LONGEST_PAUSE_DAYS = 8


@dataclass(frozen=True, kw_only=True)
class SuspectedSplit:
    """A session opened at the close before divided by about `ratio` and closed there, and no split is known."""

    ex_date: date
    ratio: float
    close_before: float
    open: float


def suspected_splits(daily: pl.DataFrame, days: pl.Series, actions: pl.DataFrame) -> list[SuspectedSplit]:
    """Return the steps of daily bars (open, close; ascending) that are no known split but as large as one.

    A step over an outage of more than a few sessions is not looked at.

    days    : the trading day of each bar
    actions : schema CORPORATE_ACTIONS
    """
    if daily.height < 2:
        return []
    known = set(actions.filter(pl.col("kind") == Kind.SPLIT.value)["ex_date"])
    closes, opens = daily["close"].to_numpy(), daily["open"].to_numpy()
    step, kept = np.log(closes[:-1] / opens[1:]), np.log(closes[:-1] / closes[1:])
    ratios = np.array([*_RATIOS, *(1 / ratio for ratio in _RATIOS)])
    distance = np.abs(step[:, None] - np.log(ratios)[None, :])
    nearest = distance.argmin(axis=1)
    near = np.diff(days.to_physical().to_numpy()) <= _LONGEST_PAUSE_DAYS
    split = near & (distance.min(axis=1) < _TOLERANCE) & (np.abs(kept - np.log(ratios[nearest])) < 2 * _TOLERANCE)
    return [
        SuspectedSplit(
            ex_date=days[row + 1], ratio=float(ratios[nearest[row]]), close_before=closes[row], open=opens[row + 1]
        )
        for row in np.flatnonzero(split).tolist()
        if days[row + 1] not in known
    ]
