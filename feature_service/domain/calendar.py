"""Where in the session and the week a bar stands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from feature_service.domain.bars import Bars, FloatArray
from feature_service.domain.feature import Feature

#: regular hours open at 09:30 New York, minute 570 of the exchange's day
_OPEN_MINUTE = 570
#: from there to midnight
_LONGEST = 1440 - _OPEN_MINUTE


def time_of_day(bars: Bars, quarter: int) -> FloatArray:
    """Return the sine (quarter 0) or cosine (quarter 1) of the exchange's local time of day."""
    minutes = np.arange(_OPEN_MINUTE, _OPEN_MINUTE + _LONGEST)
    return np.sin(2 * np.pi * minutes / 1440 + quarter * np.pi / 2)[bars.minute]


def day_of_week(bars: Bars, quarter: int) -> FloatArray:
    """Return the sine (quarter 0) or cosine (quarter 1) of the day in a week of five."""
    return np.sin(2 * np.pi * np.arange(7) / 5 + quarter * np.pi / 2)[bars.weekday]


def minutes_since_open(bars: Bars) -> FloatArray:
    """Return 0 in the session's first minute, 389 in its last (209 on a half day)."""
    return bars.minute.astype(np.float64)


def minutes_to_close(bars: Bars) -> FloatArray:
    """Return 0 in the session's last minute, 389 in its first (209 on a half day): the calendar is known ahead."""
    return bars.remaining.astype(np.float64)


def _wave(name: str, quarter: int, compute: Callable[..., FloatArray], angle: str) -> Feature:
    return Feature(
        name=f"{name}_{('sin', 'cos')[quarter]}",
        group="time",
        inputs=("ts",),
        params={"quarter": quarter},
        formula=f"{('sin', 'cos')[quarter]}(2 pi {angle})",
        source="definition",
        compute=compute,
    )


FEATURES = (
    _wave("time", 0, time_of_day, "(minute of day in New York) / 1440"),
    _wave("time", 1, time_of_day, "(minute of day in New York) / 1440"),
    _wave("day_of_week", 0, day_of_week, "(Monday 0 ... Friday 4) / 5"),
    _wave("day_of_week", 1, day_of_week, "(Monday 0 ... Friday 4) / 5"),
    Feature(
        name="minutes_since_open",
        group="time",
        inputs=("ts",),
        formula="minutes since the session's open",
        source="definition",
        compute=minutes_since_open,
    ),
    Feature(
        name="minutes_to_close",
        group="time",
        inputs=("ts",),
        formula="minutes from the bar's end to the session's close",
        source="definition",
        compute=minutes_to_close,
    ),
)
