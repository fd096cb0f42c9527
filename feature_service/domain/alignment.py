"""Several series on one clock, looking backwards only.

Every `ts` is a bar's start and its values are known at that bar's close, so values of two bars with the same `ts` are
known at the same moment, and those of an earlier bar before it. Neither join ever takes a later one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from feature_service.domain.bars import Int64Array


def as_of(ts_us: Int64Array, others_us: Int64Array, max_age_us: int) -> Int64Array:
    """Return for each instant the row of the last of `others_us` (ascending) at or before it.

    -1 where there is none or it is more than `max_age_us` older; an age of 0 asks for the exact instant.
    """
    if not len(others_us):
        return np.full(len(ts_us), -1, dtype=np.int64)
    row = np.searchsorted(others_us, ts_us, side="right") - 1
    fresh = (row >= 0) & (ts_us - others_us[np.maximum(row, 0)] <= max_age_us)
    return np.where(fresh, row, -1)


def inner_join(frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the instants that every symbol has, ascending, columns named `<column>_<SYMBOL>`.

    frames : by symbol, `ts` (ascending, unique) and any columns
    """
    joined: pl.DataFrame | None = None
    for symbol, frame in frames.items():
        named = _suffixed(frame, symbol)
        joined = named if joined is None else joined.join(named, on="ts", how="inner", maintain_order="left")
    return joined if joined is not None else pl.DataFrame()


def as_of_join(frames: Mapping[str, pl.DataFrame], max_age_us: int) -> pl.DataFrame:
    """Return every instant of the first symbol, with the last values of the others that are not older than asked.

    frames : by symbol, `ts` (ascending, unique) and any columns, named `<column>_<SYMBOL>` in the answer

    Where another symbol has no such bar, its columns are null and `age_seconds_<SYMBOL>` too; else that column says how
    old its values are.
    """
    symbols = iter(frames.items())
    first, base = next(symbols)
    parts = [_suffixed(base, first)]
    ts = _instants(base)
    for symbol, frame in symbols:
        others = _instants(frame)
        row = as_of(ts, others, max_age_us)
        rows = pl.Series(row)
        taken = pl.when(rows >= 0).then(rows)
        index = pl.select(taken.cast(pl.UInt32)).to_series()
        age = (ts - others[np.maximum(row, 0)]) // 1_000_000 if len(others) else ts
        values = _suffixed(frame, symbol).drop("ts").select(pl.all().gather(index))
        parts.append(pl.select(pl.when(rows >= 0).then(pl.Series(age)).alias(f"age_seconds_{symbol}")))
        parts.append(values)
    return pl.concat(parts, how="horizontal")


def _instants(frame: pl.DataFrame) -> Int64Array:
    return frame["ts"].to_physical().to_numpy().astype(np.int64)


def _suffixed(frame: pl.DataFrame, symbol: str) -> pl.DataFrame:
    return frame.rename({name: f"{name}_{symbol}" for name in frame.columns if name != "ts"})
