"""Signatures of numbers that were estimated on the whole sample.

A column that was standardised, stretched to [0, 1], ranked, detrended or projected with statistics of all its rows
carries these statistics: its own mean is 0 and its sd 1 to all digits. Statistics of the past alone leave no such mark,
because the sample's later rows move the moments.
"""

from __future__ import annotations

import numpy as np

from feature_service.domain.bars import Bars, FloatArray, Int64Array
from feature_service.domain.leaks.findings import Check, Finding

#: as near as numbers of six digits come
_EXACT = 2e-6
#: a mean this small, in sds, is no coincidence. A column of changes, whose sum is its end less its beginning, has one
#: of some 1 / rows, and comes below this once in thousands of columns; rounding to six digits stays below it
_ZERO = 1e-8
#: sqrt(n) x the greatest distance to the uniform law; independent draws reach so small a one once in 10^13
_TOO_UNIFORM = 0.2
#: 1 - the correlation of a column with its own ranks: rounded to six digits it stays below, and draws from a uniform
#: law come this near once they are 10^10
_OWN = 1e-10
_FEWEST = 200
#: in sds of the column: what sums of some 390 numbers of six digits differ by
_BALANCED = 1e-5
_FEWEST_GROUPS = 20
#: the first and the last session may be delivered in part
_MOST = 0.8
_MOVING = 0.5
#: a correlation over some 390 minutes that a profile made from other days does not reach
ENCODED = 0.999


def full_sample(values: FloatArray, clock: FloatArray, day: Int64Array) -> Finding:
    """Look for statistics of the whole sample.

    values : the column, NaN where it has no value
    clock : what the time alone says of a row (minute of the session and weekday as one number): a column that hangs on
        nothing else, such as a sine of the time of day, may well be balanced and is left alone
    day : which session a row belongs to
    """
    here = ~np.isnan(values)
    known = values[here]
    signs = list[str]()
    kinds = len(np.unique(known))
    if len(known) >= _FEWEST and kinds > 20 and not of_the_clock(values, clock):
        signs = [*_moments(known), *_ends(known), *_ranks(known), *_clipped(known)]
        signs += _balanced(known, day[here], clock[here] % 1000)
    return Finding(
        check=Check.FULL_SAMPLE,
        leak=bool(signs),
        strength=float(len(signs)),
        threshold=1.0,
        detail="; ".join(signs) or f"mean, spread, ends and ranks of {len(known)} values are not those of a scaling",
    )


def _moments(known: FloatArray) -> list[str]:
    sd, mean = float(known.std()), float(known.mean())
    found = list[str]()
    unit = any(abs(float(known.std(ddof=ddof)) - 1) < _EXACT for ddof in (0, 1))
    if sd > 0 and abs(mean) / sd < (_EXACT if unit else _ZERO):
        found.append(f"the mean is 0 to {abs(mean) / sd:.0e} sd" + (" and the sd is 1" if unit else ""))
    quarter, median, three = np.quantile(known, [0.25, 0.5, 0.75])
    if abs(median) < _EXACT * (three - quarter) and abs(three - quarter - 1) < _EXACT:
        found.append("the median is 0 and the quartiles are 1 apart")
    return found


def _ends(known: FloatArray) -> list[str]:
    """Find a stretch to [0, 1] or [-1, 1]: a bounded oscillator touches its ends often, a stretched column once."""
    low, high = float(known.min()), float(known.max())
    for ends in ((0.0, 1.0), (-1.0, 1.0)):
        exact = abs(low - ends[0]) < 1e-7 and abs(high - ends[1]) < 1e-7
        if exact and _touches(known, low) == 1 and _touches(known, high) == 1:
            return [f"the ends are {ends[0]:g} and {ends[1]:g}, each reached once"]
    return []


def _touches(known: FloatArray, end: float) -> int:
    """Return in how many runs of rows the column is at `end`."""
    at = np.abs(known - end) < 1e-7
    return int(np.sum(at[1:] & ~at[:-1]) + at[0])


def _ranks(known: FloatArray) -> list[str]:
    """Find ranks among all rows: the values follow the uniform law, or the normal one, more closely than chance can."""
    from scipy.special import ndtr  # pyright: ignore[reportMissingTypeStubs] - it ships none

    ordered, n = np.sort(known), len(known)
    steps = np.diff(known)
    if (steps < 0).any() and (steps > 0).any() and _own_ranks(known):
        return ["the values are their own ranks among all rows, up to scale"]
    laws = {"uniform": (ordered - ordered[0]) / (ordered[-1] - ordered[0]), "normal": ndtr(ordered)}
    grid = (np.arange(n) + 0.5) / n
    for name, share in laws.items():
        inner = slice(n // 100, n - n // 100)
        distance = float(np.max(np.abs(share[inner] - grid[inner]))) * np.sqrt(n)
        if distance < _TOO_UNIFORM:
            return [f"the values follow the {name} law too closely: {distance:.3f} / sqrt(n)"]
    return []


def _own_ranks(known: FloatArray) -> bool:
    """Return whether the column is its own mean ranks, equal values and all; a mere counter of rows is, too."""
    _, place, count = np.unique(known, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return 1 - float(np.corrcoef(known, ranks)[0, 1]) < _OWN


def _clipped(known: FloatArray) -> list[str]:
    """Find both ends cut at a round share of all rows."""
    n = len(known)
    shares = [float(np.sum(known == end)) / n for end in (known.min(), known.max())]
    for level in (0.005, 0.01, 0.02, 0.025, 0.05, 0.1):
        if all(abs(share - level) <= 2 / n for share in shares) and level * n > 20:
            return [f"both ends are cut at {level:.1%} of all rows"]
    return []


def _balanced(known: FloatArray, day: Int64Array, minute: FloatArray) -> list[str]:
    """Find values over a total of their session, or over a mean of their minute.

    Sums of sessions and means of minutes then agree to all digits. Those of other columns differ by some sd / sqrt(n);
    that 20 of them agree to 1e-5 sd by chance is out of the question. Sets of equal values say nothing: a column that
    is 0 but for a few events has the same sum in most sessions, and one that stands still within them the same mean in
    each minute; nor does what hangs on the clock alone but for half days.
    """
    near = _BALANCED * float(known.std())
    if np.count_nonzero(np.diff(known)) < _MOVING * len(known) or _of_the_minute(known, minute, near):
        return []
    for kind, rows in (("sums of the sessions", day.astype(np.float64)), ("means of the minutes", minute)):
        groups, place, count = np.unique(rows, return_inverse=True, return_counts=True)
        total = np.bincount(place, known).astype(np.float64)
        mean = total / count
        wild = np.bincount(place, (known - mean[place]) ** 2) > count * near**2
        numbers = (mean if rows is minute else total)[wild & (count > 1)]
        if len(numbers) >= _FEWEST_GROUPS:
            middle = float(np.median(numbers))
            if np.count_nonzero(np.abs(numbers - middle) < near) >= _MOST * len(numbers):
                return [f"the {kind} are {middle:.6g}, all but a few of {len(groups)}"]
    return []


def _of_the_minute(known: FloatArray, minute: FloatArray, near: float) -> bool:
    """Return whether most values are the middle one of their minute."""
    order = np.argsort(minute, kind="stable")
    parts = np.split(known[order], np.flatnonzero(np.diff(minute[order])) + 1)
    same = sum(int(np.sum(np.abs(part - np.median(part)) <= near)) for part in parts)
    return same > len(known) / 2


def encoded(bars: Bars, column: FloatArray) -> Finding:
    """Look for a mean over all days by minute: of the next return, the return, its size or the volume.

    column : on `bars`, one value a minute of the session, the same every day
    """
    returns = np.diff(np.log(bars.close), prepend=np.log(bars.close[:1]))
    encodings = {
        "next return": np.append(returns[1:], np.nan),
        "return": returns,
        "size of the return": np.abs(returns),
        "volume": bars.volume,
    }
    best, name = 0.0, ""
    for what, values in encodings.items():
        known = ~(np.isnan(values) | np.isnan(column))
        kinds, place = np.unique(bars.minute[known], return_inverse=True)
        if len(kinds) > 20:
            count = np.bincount(place)
            pair = np.stack([np.bincount(place, one[known]) / count for one in (values, column)])
            if float(pair.std(axis=1).min()) > 0:
                best, name = max((best, name), (abs(float(np.corrcoef(pair[0], pair[1])[0, 1])), what))
    return Finding(
        check=Check.FULL_SAMPLE,
        leak=best > ENCODED,
        strength=best,
        threshold=ENCODED,
        detail=f"over the minutes of the session it correlates {best:.4f} with the mean {name or 'return'} of all days",
    )


def of_the_clock(values: FloatArray, clock: FloatArray) -> bool:
    """Return whether the column is the same whenever the clock is; NaN counts for nothing."""
    known = ~np.isnan(values)
    kinds, place = np.unique(clock[known], return_inverse=True)
    count = np.bincount(place, minlength=len(kinds))
    mean = np.bincount(place, values[known], minlength=len(kinds)) / np.maximum(count, 1)
    rest = values[known] - mean[place]
    return len(kinds) < known.sum() / 2 and float(rest.std()) < 1e-6 * max(float(values[known].std()), 1e-300)
