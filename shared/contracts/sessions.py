"""Regular trading hours of XNYS, half days and holidays included, as arrays.

Every service that speaks of sessions speaks through this module. All instants are int64 microseconds since the
epoch in UTC, as polars and Parquet store them, so nothing here converts through pandas on a hot path.
"""

# exchange_calendars and pandas ship no complete types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from shared.errors import InvalidInput

CALENDAR = "XNYS"
MINUTE_US = 60_000_000
#: indices have daily bars from December 1927 on, and reading looks some weeks back
_FIRST, _LAST = "1926-01-02", "2035-12-31"

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sessions:
    """Consecutive sessions, each with its first minute and the minute after its last.

    date : datetime64[D] of shape (n,)
    open_us, close_us : int64 of shape (n,); a session's bars start at open, open + 1 min, ..., close - 1 min
    """

    date: npt.NDArray[np.datetime64]
    open_us: Int64Array
    close_us: Int64Array

    def __len__(self) -> int:
        return len(self.date)

    @property
    def minutes(self) -> Int64Array:
        """Length of each session in minutes: 390, or 210 on a half day; other hours before October 1985."""
        return (self.close_us - self.open_us) // MINUTE_US

    def between(self, start_us: int, end_us: int) -> Sessions:
        """Return the sessions that open in [start_us, end_us)."""
        rows = slice(*np.searchsorted(self.open_us, [start_us, end_us], side="left"))
        return Sessions(self.date[rows], self.open_us[rows], self.close_us[rows])

    def index_of(self, ts_us: Int64Array) -> Int64Array:
        """Return for each instant the row of the session it falls in, -1 outside regular hours."""
        if len(self) == 0:
            return np.full(np.shape(ts_us), -1, dtype=np.int64)
        row = np.searchsorted(self.open_us, ts_us, side="right") - 1
        inside = (row >= 0) & (ts_us < self.close_us[np.maximum(row, 0)])
        return np.where(inside, row, -1)

    def minute_of(self, ts_us: Int64Array) -> Int64Array:
        """Return for each instant the minutes since its session's open, -1 outside regular hours."""
        row = self.index_of(ts_us)
        if len(self) == 0:
            return row
        return np.where(row >= 0, (ts_us - self.open_us[np.maximum(row, 0)]) // MINUTE_US, -1)

    def expected_minutes(self) -> Int64Array:
        """Return the start of every minute of every session, ascending."""
        lengths = self.minutes
        starts = np.repeat(self.open_us, lengths)
        first = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return starts + (np.arange(int(lengths.sum())) - first) * MINUTE_US


@lru_cache(maxsize=1)
def all_sessions() -> Sessions:
    """Return every XNYS session from 1926 to 2035."""
    # imported here: it pulls pandas, which would slow every command's start
    import exchange_calendars

    schedule = exchange_calendars.get_calendar(CALENDAR, start=_FIRST, end=_LAST).schedule
    return Sessions(
        date=np.asarray(schedule.index, dtype="datetime64[D]"),
        open_us=np.asarray(schedule["open"].dt.tz_convert(None), dtype="datetime64[us]").astype(np.int64),
        close_us=np.asarray(schedule["close"].dt.tz_convert(None), dtype="datetime64[us]").astype(np.int64),
    )


def sessions_between(start_us: int, end_us: int) -> Sessions:
    """Return the sessions that open in [start_us, end_us).

    Raises InvalidInput when the span reaches outside the calendar this build knows.
    """
    known = all_sessions()
    if start_us < int(known.open_us[0]) - 86_400_000_000 or end_us > int(known.close_us[-1]) + 86_400_000_000:
        raise InvalidInput(f"the trading calendar covers {_FIRST} to {_LAST}: ask for a span inside it")
    return known.between(start_us, end_us)
