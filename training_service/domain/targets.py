"""What a model is asked to predict, and when each answer is known.

The label of bar t is ln(C[t + h] / C[t]) for a horizon of h minutes bars: both bars must exist, be real (not
filled) and lie in one session. A bar whose horizon crosses the close, or ends at a missing or filled minute, has no
label. Minutes without a trade between the two do not matter: only the two closes enter the number. Closes are as
traded: a split comes between two sessions, so both are of the same shares.

A row is known at its bar's close, ts + 1 minute; its label is known at `end_us`, the close of bar t + h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.contracts.sessions import MINUTE_US, Sessions

FloatArray = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Labels:
    """One label a bar.

    value : float64 of shape (n,), NaN where there is none
    end_us : int64 of shape (n,), the instant the label is known; also set where the label is missing
    """

    value: FloatArray
    end_us: Int64Array


def log_return_labels(ts_us: Int64Array, close: FloatArray, sessions: Sessions, horizon_bars: int) -> Labels:
    """Return the label of every bar.

    ts_us : starts of real bars, ascending, unique; bars outside every session get no label
    close : their closes, positive
    sessions : at least every session that a bar lies in
    """
    ahead_us = ts_us + horizon_bars * MINUTE_US
    at = np.minimum(np.searchsorted(ts_us, ahead_us), max(len(ts_us) - 1, 0))
    session = sessions.index_of(ts_us)
    same = (ts_us[at] == ahead_us) & (session[at] == session) & (session >= 0) if len(ts_us) else at == -1
    value = np.full(len(ts_us), np.nan)
    value[same] = np.log(close[at[same]] / close[same])
    return Labels(value, ahead_us + MINUTE_US)
