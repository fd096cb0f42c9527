"""How much of the regular sessions the stored bars cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.contracts.sessions import MINUTE_US, Int64Array, sessions_between

_DAY_US = 86_400_000_000


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """Counts from the open of the first bar's session to the last bar, both included.

    sessions          : regular sessions with at least one bar
    sessions_expected : regular sessions of the span
    missing_minutes   : minutes of those sessions without a bar. A minute without a trade has no bar either.
    off_hours         : bars outside regular hours
    """

    sessions: int
    sessions_expected: int
    missing_minutes: int
    off_hours: int


def completeness(ts_us: Int64Array) -> Completeness:
    """Return the completeness of bars at `ts_us` (int64 microseconds, ascending, unique; shape (n,), n >= 1)."""
    first, last = int(ts_us[0]), int(ts_us[-1])
    # the session of the first bar opened before it, and is expected whole
    sessions = sessions_between(first - _DAY_US, last + MINUTE_US)
    sessions = sessions.between(int(sessions.open_us[sessions.close_us > first].min(initial=last + 1)), last + 1)
    expected = sessions.expected_minutes()
    expected = expected[expected <= last]
    present = np.intersect1d(expected, ts_us, assume_unique=True)
    touched = sessions.index_of(present)
    return Completeness(
        sessions=len(np.unique(touched)),
        sessions_expected=len(np.unique(sessions.index_of(expected))),
        missing_minutes=len(expected) - len(present),
        off_hours=len(ts_us) - len(present),
    )
