"""Episodes: folds of days to train and to test on, and the rows that belong to each, in any timeframe.

The folds are those of `shared.contracts.folds`, which also cuts a model's training: purged by the label's horizon and
embargoed. What is added here is their rows: a bucket of a longer timeframe that holds any test minute is test, and one
is train when it holds a training row and ends no later than the last of them. (Minutes at a day's end whose label would
cross the close are in neither part, and do not keep their bucket out.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_service.domain.bars import Int64Array
from shared.contracts.datasets import TS
from shared.contracts.folds import Fold, walk_forward
from shared.contracts.messages import Folds
from shared.contracts.sessions import MINUTE_US, Sessions, sessions_between
from shared.errors import InvalidInput, NotFound

#: minutes of each timeframe; a day is a session, whatever its length
TIMEFRAMES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1_440}
_DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Option:
    """A named cut: `rolling_120_30` trains on 120 sessions before each block of 30."""

    id: str
    train_days: int
    test_days: int
    anchored: bool

    @property
    def sessions(self) -> int:
        """Sessions that one episode needs: a last test block of half its length counts."""
        return self.train_days + -(-self.test_days // 2)


OPTIONS = {
    f"{name}_{train}_{test}": Option(
        id=f"{name}_{train}_{test}", train_days=train, test_days=test, anchored=name == "anchored"
    )
    for name, (train, test) in product(("rolling", "anchored"), ((20, 5), (60, 20), (120, 30), (250, 60)))
}


def option(name: str) -> Option:
    """Return the option called `name`. Raises NotFound."""
    if name not in OPTIONS:
        raise NotFound(f"there is no option {name!r}: GET /options lists {', '.join(OPTIONS)}")
    return OPTIONS[name]


def episodes(ts_us: Int64Array, horizon_bars: int, spec: Folds) -> list[Fold]:
    """Return the folds of rows that start at `ts_us` (ascending, regular hours), oldest first.

    horizon_bars : minutes ahead that a label looks; rows whose label would cross the session's close have none

    Raises InvalidInput when there are too few sessions for one.
    """
    sessions = _around(ts_us)
    row = sessions.index_of(ts_us)
    label_end = ts_us + (horizon_bars + 1) * MINUTE_US
    labelled = label_end <= sessions.close_us[row]
    return walk_forward(ts_us, label_end, labelled, sessions, spec)


def session_count(ts_us: Int64Array) -> int:
    """Return in how many sessions the instants lie."""
    return len(np.unique(_around(ts_us).index_of(ts_us))) if len(ts_us) else 0


def days_of(ts_us: Int64Array, fold: Fold) -> tuple[datetime, datetime]:
    """Return the days that an episode's rows lie in, as [first midnight, the one after the last) in UTC.

    Sessions begin and end within one, so they hold all rows of every bucket.
    """
    rows = np.concatenate([fold.train, fold.test])
    first, last = (int(ts_us[row]) // _DAY_US for row in (rows.min(), rows.max()))
    return _EPOCH + timedelta(days=first), _EPOCH + timedelta(days=last + 1)


def among(fold: Fold, ts_us: Int64Array, of_us: Int64Array) -> Fold:
    """Return a fold of the rows at `ts_us` as one of the rows at `of_us`; those that are not there are left out."""
    train, test = (np.flatnonzero(np.isin(of_us, ts_us[rows])) for rows in (fold.train, fold.test))
    return replace(fold, train=train, test=test)


def rows_of(frame: pl.DataFrame, fold: Fold, timeframe: str) -> pl.DataFrame:
    """Return an episode's rows: ts, known_at, split ("train" or "test") and the columns of `frame`.

    frame : ts (ascending) and columns, the rows that the fold was cut from

    A bucket starts at `ts` and is known at `known_at`, its last minute's close; its values are those of its last row.
    Buckets count from the session's open and never span two. Rows in neither part (purged, embargoed) are left out.
    """
    if timeframe not in TIMEFRAMES:
        raise InvalidInput(f"there is no timeframe {timeframe!r}: use one of {', '.join(TIMEFRAMES)}")
    ts = frame["ts"].to_physical().to_numpy().astype(np.int64)
    train, test = (_marked(len(ts), rows) for rows in (fold.train, fold.test))
    last_train = frame["ts"][int(fold.train[-1])] if len(fold.train) else frame["ts"][0]
    starts, known = buckets(ts, TIMEFRAMES[timeframe])
    return (
        frame.with_columns(
            pl.Series("bucket", starts).cast(TS),
            pl.Series("known_at", known).cast(TS),
            pl.Series("is_train", train),
            pl.Series("is_test", test),
        )
        .group_by("bucket", maintain_order=True)
        .agg(
            pl.col("is_test").any(),
            pl.col("is_train").any() & (pl.col("ts").last() <= last_train),
            pl.all().exclude("bucket", "ts", "is_test", "is_train").last(),
        )
        .filter(pl.col("is_test") | pl.col("is_train"))
        .select(
            pl.col("bucket").alias("ts"),
            "known_at",
            pl.when("is_test").then(pl.lit("test")).otherwise(pl.lit("train")).alias("split"),
            pl.exclude("bucket", "known_at", "is_test", "is_train"),
        )
    )


def buckets(ts_us: Int64Array, minutes: int) -> tuple[Int64Array, Int64Array]:
    """Return the start of each row's bucket and the instant at which it is known: its end, or the session's close."""
    sessions = _around(ts_us)
    row = np.maximum(sessions.index_of(ts_us), 0)
    opened, closed = sessions.open_us[row], sessions.close_us[row]
    width = minutes * MINUTE_US
    start = opened + (ts_us - opened) // width * width
    return start, np.minimum(start + width, closed)


def _around(ts_us: Int64Array) -> Sessions:
    return sessions_between(int(ts_us[0]) - _DAY_US, int(ts_us[-1]) + _DAY_US)


def _marked(rows: int, chosen: Int64Array) -> npt.NDArray[np.bool_]:
    marks = np.zeros(rows, dtype=bool)
    marks[chosen] = True
    return marks
