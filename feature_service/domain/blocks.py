"""Anchored blocks: a month of features is always the same computation.

A block is one symbol, one set and one month (of `ts` in UTC, which no session crosses). It is computed from that
month's usable bars and exactly `WARM_UP_BARS` usable bars before them, or all there are at the beginning of
history. Of every other symbol that the set reads as context, the same: its bars of the month, up to the last of the
block's own, and as many before it. What is estimated (`Fit`) saw bars before the month only. Nothing else takes part,
and cumulative features begin at the first of the bars before, so a full build, one more day and a longer range agree
bit for bit, and months can be built in any order. 5,000 bars are enough for every recursive average of the sets to
forget its seed: the slowest, an EMA of 26 bars, keeps (25/27)^5000 of it, which is 0 in float64.

Bars are stored as they were traded, and a row sees those before it in the shares of its own day. So where a series that
is read was split, the month is computed in parts, each on all the bars up to its end in the shares of that end: rows
before a split do not know of it, and those from its day on meet no jump. A month without splits is one part.

Nor is a hole a move: bars from before `HOLE` without any (of a symbol fetched for 2019 and 2024) take no part, and what
comes after it begins anew, as at the beginning of history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from feature_service.domain.bars import Fitted, bars_of
from feature_service.domain.catalogue import CODE_VERSION, FeatureSet
from feature_service.domain.feature import Fit
from shared.contracts.identifiers import fingerprint
from shared.contracts.splits import in_last_shares, trading_days

WARM_UP_BARS = 5_000
#: longer than any holiday and most halts: what was traded before it says nothing of what is traded after it
HOLE = timedelta(days=30)
#: where a mapping has context by role, the key of the block's own symbol
OWN = ""
#: by role or `OWN`, splits among the bars that are read: schema CORPORATE_ACTIONS; a series without any is absent
Splits = Mapping[str, pl.DataFrame]


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month in UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, at: datetime | date) -> Month:
        return cls(at.year, at.month)

    @classmethod
    def parse(cls, text: str) -> Month:
        """Return the month written as "2024-05", the lake's partition value."""
        year, month = text.split("-")
        return cls(int(year), int(month))

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.next.start

    @property
    def next(self) -> Month:
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def previous(self) -> Month:
        return Month(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


#: older than any bar
BEGINNING = Month(1970, 1)


def months_between(start: datetime, end: datetime) -> list[Month]:
    """Return every month that has an instant in [start, end), ascending."""
    month, months = Month.of(start.astimezone(UTC)), list[Month]()
    while month.start < end:
        months.append(month)
        month = month.next
    return months


def block_fingerprint(features: FeatureSet, symbol: str, month: Month, data_version: str) -> str:
    """Return the name of the block made from the bars and fits that `data_version` names."""
    return fingerprint(
        "feature_block",
        feature_set=features.id,
        code_version=CODE_VERSION,
        symbol=symbol,
        month=str(month),
        warm_up_bars=WARM_UP_BARS,
        data_version=data_version,
    )


def fit_fingerprint(fit: Fit, data_version: str) -> str:
    """Return the name of what `fit` leaves behind on the bars that `data_version` names."""
    return fingerprint(
        "feature_fit",
        name=fit.name,
        of=fit.of,
        version=fit.version,
        params=fit.params,
        rows=fit.rows,
        data_version=data_version,
    )


def compute_block(
    features: FeatureSet,
    symbol: str,
    before: pl.DataFrame,
    bars: pl.DataFrame,
    context: Mapping[str, pl.DataFrame] | None = None,
    fits: Mapping[str, Fitted] | None = None,
    splits: Splits | None = None,
) -> pl.DataFrame:
    """Return the month's rows: feature_set, symbol, ts and the set's columns, one row per usable bar.

    Columns that are prices or shares are in those of each row's own day.

    before : usable bars before the month, ascending; the last `WARM_UP_BARS` are taken
    bars : usable bars of the month, ascending
    context : by role, another symbol's usable bars, ascending: the last `WARM_UP_BARS` before the month and those of
        the month up to the last of `bars`
    fits : by name, what was estimated on bars before the month
    """
    warm_up = before.tail(WARM_UP_BARS)
    parts = list[pl.DataFrame]()
    for first, end in _parts(bars["ts"], splits or {}):
        series = {OWN: pl.concat([warm_up, bars.head(end)])} | {
            role: frame if end == bars.height else frame.filter(pl.col("ts") <= bars["ts"][end - 1])
            for role, frame in (context or {}).items()
        }
        seen = {
            role: bars_of(in_last_shares(frame, splits[role]) if splits and role in splits else frame)
            for role, frame in series.items()
        }
        own = seen.pop(OWN).beside(seen, fits or {})
        parts.append(features.compute(own).slice(len(warm_up) + first))
    return pl.concat(parts).select(
        pl.lit(features.id).alias("feature_set"), pl.lit(symbol).alias("symbol"), "ts", *features.columns
    )


def _parts(ts: pl.Series, splits: Splits) -> list[tuple[int, int]]:
    """Return where a month is cut: rows [first, end) that no ex-date divides, ascending."""
    edges = {0, len(ts)}
    for one in splits.values():
        days, ex_dates = (series.to_physical().to_numpy() for series in (trading_days(ts), one["ex_date"]))
        edges.update(np.searchsorted(days, ex_dates).tolist())
    return list(pairwise(sorted(edges))) or [(0, 0)]


def estimate(fit: Fit, before: pl.DataFrame, context: Mapping[str, pl.DataFrame]) -> Fitted | None:
    """Return what `fit` leaves behind for a month, or None with fewer bars before it than the fit wants.

    before, context : usable bars before the month, own and by role, ascending; the last `fit.rows` of each are taken
    """
    before = context.get(fit.of, before.clear()) if fit.of else before
    if before.height < fit.minimum:
        return None
    others = {role: bars_of(frame.tail(fit.rows)) for role, frame in context.items() if role in fit.context}
    return fit.fitted(bars_of(before.tail(fit.rows)).beside(others, {}))
