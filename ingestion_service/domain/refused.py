"""Refused rows as a whole: how many of each reason, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np
import polars as pl

from ingestion_service.domain.moments import in_us
from shared.contracts.sessions import MINUTE_US

#: parts of the time that the refused rows span
PARTS = 60


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """The refused rows of one reason.

    parts : rows in each of PARTS equal parts of [first, last] of all reasons; rows whose time could not be read are
            in none of them
    """

    reason: str
    rows: int
    symbols: int
    parts: list[int]


@dataclass(frozen=True, kw_only=True)
class RefusedRows:
    """All of them: the first and the last minute they name (None when none does), and each reason, most rows first."""

    first: datetime | None
    last: datetime | None
    reasons: list[Refusals]


def refused_rows(rows: pl.DataFrame) -> RefusedRows:
    """Return what `rows` (symbol, ts, reason; ts may be null) are."""
    first, last = (cast("datetime | None", bound) for bound in (rows["ts"].min(), rows["ts"].max()))
    edges = (_us(first), max(_us(last), _us(first) + MINUTE_US))  # rows of one minute need parts too
    reasons = [
        Refusals(
            reason=cast("str", reason),
            rows=own.height,
            symbols=own["symbol"].n_unique(),
            parts=np.histogram(own["ts"].drop_nulls().to_physical().to_numpy(), bins=PARTS, range=edges)[0].tolist(),
        )
        for (reason,), own in rows.group_by("reason")
    ]
    return RefusedRows(first=first, last=last, reasons=sorted(reasons, key=lambda one: (-one.rows, one.reason)))


def _us(moment: datetime | None) -> int:
    return 0 if moment is None else in_us(moment)


def nearby(stored: pl.DataFrame, refused: pl.DataFrame, at: datetime, each: int) -> pl.DataFrame:
    """Return `each` stored rows on either side of the minute `at`, that of `at`, and refused ones among them.

    Both have ts, open, high, low, close, volume and source, in order of time; `refused` also a reason, which is null
    in the stored rows of the answer. Refused rows come before the stored one of their minute.
    """
    minute = at.replace(second=0, microsecond=0)
    row = int(stored["ts"].search_sorted(minute, side="left"))
    begin = max(row - each, 0)
    beside = stored.slice(begin, row + each + 1 - begin)
    span = pl.concat([beside["ts"], pl.Series([at], dtype=stored.schema["ts"])])
    odd = refused.filter(pl.col("ts").is_between(span.min(), span.max()))
    return pl.concat([odd, beside], how="diagonal_relaxed").sort("ts", maintain_order=True)
