"""Made-up bars for minutes that nobody delivered.

In each round every hole gets one bar, in its middle minute: the mean of the two bars that bound it, price by price and
volume too. So a hole of up to 2**n - 1 minutes is closed in n rounds, and nine rounds close any hole of a session. A
hole that touches the open or the close of its session has only one bound and stays: no bar of another session is ever
used. Coins trade around the clock: any hole of theirs has two bounds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from ingestion_service.domain.moments import DAY_US
from ingestion_service.domain.symbols import crypto_pair
from shared.contracts.datasets import BARS_1M
from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between

FILLED = "filled"
_VALUES = ("open", "high", "low", "close", "volume")

Floats = npt.NDArray[np.float64]


def filled_bars(bars: pl.DataFrame, missing_us: Int64Array, symbol: str, rounds: int) -> pl.DataFrame:
    """Return bars (schema BARS_1M, source "filled") for minutes of `missing_us`, as far as `rounds` rounds come.

    bars       : schema BARS_1M, ascending; real ones only
    missing_us : int64 microseconds, ascending, none in `bars`; those outside regular hours (of a stock) are left alone
    """
    if not len(missing_us) or bars.is_empty():
        return bars.clear()
    known_us = bars["ts"].to_physical().to_numpy()
    values = bars.select(pl.col(_VALUES).fill_null(float("nan"))).to_numpy()
    right = np.searchsorted(known_us, missing_us)
    bounded = (right > 0) & (right < len(known_us))
    left = np.clip(right - 1, 0, len(known_us) - 1)
    right = np.clip(right, 0, len(known_us) - 1)
    if not crypto_pair(symbol):
        sessions = sessions_between(int(missing_us[0]) - DAY_US, int(missing_us[-1]) + MINUTE_US)
        session = sessions.index_of(missing_us)
        bounded &= (session >= 0) & (sessions.index_of(known_us[left]) == session)
        bounded &= sessions.index_of(known_us[right]) == session
    minutes, bounds = missing_us[bounded], right[bounded]
    made: list[tuple[int, Floats]] = []
    for after in np.unique(bounds).tolist():
        made.extend(_halved(minutes[bounds == after], values[after - 1], values[after], rounds))
    return _frame(made, symbol, bars)


def _halved(hole: Int64Array, before: Floats, after: Floats, rounds: int) -> Iterator[tuple[int, Floats]]:
    if not len(hole) or not rounds:
        return
    middle, mean = len(hole) // 2, (before + after) / 2
    yield int(hole[middle]), mean
    yield from _halved(hole[:middle], before, mean, rounds - 1)
    yield from _halved(hole[middle + 1 :], mean, after, rounds - 1)


def _frame(made: list[tuple[int, Floats]], symbol: str, like: pl.DataFrame) -> pl.DataFrame:
    if not made:
        return like.clear()
    made.sort(key=lambda bar: bar[0])
    values = np.array([bar for _, bar in made])
    return pl.DataFrame(
        {
            "ts": pl.Series([at for at, _ in made], dtype=pl.Int64).cast(BARS_1M.schema["ts"]),
            **{name: values[:, column] for column, name in enumerate(_VALUES)},
        }
    ).select(
        pl.lit(symbol).alias("symbol"),
        "ts",
        *_VALUES[:4],
        pl.col("volume").fill_nan(None),
        pl.lit(FILLED).alias("source"),
    )
