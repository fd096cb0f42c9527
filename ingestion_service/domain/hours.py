"""When a US stock or index can have a bar at all.

A session's day lasts from 20:00 New York of the evening before, when the overnight venues begin, to 20:00 of the day
itself, when the extended hours end. A weekend or a holiday belongs to no session: nothing trades, and a bar stamped
there is test data, a wrong clock or another market's.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl

from ingestion_service.domain.symbols import is_us_listed
from shared.contracts.datasets import TS
from shared.contracts.sessions import Int64Array, all_sessions
from shared.contracts.splits import EXCHANGE_ZONE


def on_closed_days(rows: pl.DataFrame) -> pl.Series:
    """Return for each row (symbol; ts of TS, null allowed) whether it lies on a day without a session; bool of (n,).

    Never of coins, currencies and others whose hours the exchange's calendar does not give, nor where ts is null.
    """
    begins, ends = _session_days()
    ts_us = rows["ts"].to_physical().fill_null(0).to_numpy()
    day = np.searchsorted(begins, ts_us, side="right") - 1
    closed = pl.Series((day < 0) | (ts_us >= ends[np.maximum(day, 0)]))
    listed = rows["symbol"].is_in([symbol for symbol in rows["symbol"].unique() if is_us_listed(symbol)])
    return closed & listed & rows["ts"].is_not_null()


@lru_cache(maxsize=1)
def _session_days() -> tuple[Int64Array, Int64Array]:
    """Return the first instant of each session's day, ascending, and the instant after its last."""
    dates = pl.Series(all_sessions().date.astype("datetime64[D]")).cast(pl.Datetime("us"))

    def evening(offset: str) -> Int64Array:
        local = dates.dt.offset_by(offset).dt.replace_time_zone(EXCHANGE_ZONE)
        return local.dt.convert_time_zone("UTC").cast(TS).to_physical().to_numpy()

    return evening("-4h"), evening("20h")
