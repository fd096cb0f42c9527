"""The checks that need nothing but a column and the symbol's bars.

A column is instants (bar starts) and values. A value at an instant without a bar is compared with what the last bar
before it knew.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from feature_service.domain.bars import Bars, FloatArray, Int64Array
from feature_service.domain.leaks.findings import Check, Finding, Report
from feature_service.domain.leaks.future import (
    BlockHit,
    Described,
    Rest,
    describe,
    future_share,
    next_trade_share,
    rest_of,
    strongest_lag,
)
from feature_service.domain.leaks.shifts import shifted
from feature_service.domain.leaks.signatures import encoded, full_sample, of_the_clock
from shared.contracts.sessions import sessions_between
from shared.errors import InvalidInput

#: bars that are enough: more only take longer
MAX_BARS = 24_000
MIN_ROWS = 2_000
MIN_SESSIONS = 20
_BARLESS_ROWS = 100
LAG_THRESHOLD = 0.15
BLOCK_THRESHOLD = 0.1
_TOO_MUCH = 0.9
_CHANGES = 20
_DAY_US = 86_400_000_000


class Detector:
    """What is prepared once for one symbol's bars, and then asked of any number of columns."""

    def __init__(self, bars: Bars, catalogue: Mapping[str, FloatArray], history: Bars | None = None) -> None:
        """Take ascending bars, not many more than `MAX_BARS`, and by name columns of the catalogue on these bars.

        history : all bars of the column's span where `bars` are only the last of them; for means over all its days
        """
        self.bars = bars
        self._catalogue = catalogue
        self._history = bars if history is None else history

    @cached_property
    def _described(self) -> Described:
        return describe(self.bars)

    def check(self, ts_us: Int64Array, values: FloatArray) -> Report:
        """Return what can be said of the column `values` at the ascending instants `ts_us`.

        Rows outside the bars take part in the search for full-sample statistics only. Raises InvalidInput when too
        few rows lie on the bars.
        """
        from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs] - it ships none

        # matrices of some 90 columns: more threads cost more than they bring, above all beside other work
        with threadpool_limits(1):
            return self._checked(ts_us, values)

    def _checked(self, ts_us: Int64Array, values: FloatArray) -> Report:
        inside = (ts_us >= self.bars.ts_us[0]) & (ts_us <= self.bars.ts_us[-1])
        ts, column = ts_us[inside], values[inside].astype(np.float64)
        at = np.searchsorted(self.bars.ts_us, ts, side="right") - 1
        exact, known = self.bars.ts_us[at] == ts, ~np.isnan(column)
        self._enough(int(np.sum(exact & known)), at[exact & known])
        on_bars = np.full(len(self.bars), np.nan)
        on_bars[at[exact]] = column[exact]
        day = ts_us // _DAY_US
        findings = [full_sample(values.astype(np.float64), _clock(ts_us), day), shifted(on_bars, self._catalogue)]
        skipped = dict[str, str]()
        if reason := _tells_nothing(column[known], _clock(ts)[known]):
            findings.append(encoded(self._history, _placed(self._history, ts_us, values)))
            skipped |= dict.fromkeys((Check.FUTURE_LAG, Check.FUTURE_BLOCK, Check.BARLESS), reason)
            return Report(findings=tuple(findings), skipped=skipped)
        rest = rest_of(self._described, on_bars)
        findings += [self._lag(rest), self._block(rest)]
        between = known & ~exact & ~np.isnan(on_bars[at])
        if between.sum() >= _BARLESS_ROWS:
            findings.append(self._barless(at[between], column[between] - on_bars[at[between]]))
        else:
            skipped[Check.BARLESS] = f"{int(between.sum())} values at minutes without a bar, {_BARLESS_ROWS} are needed"
        return Report(findings=tuple(findings), skipped=skipped)

    def _enough(self, rows: int, at: Int64Array) -> None:
        sessions = len(np.unique(self.bars.first[at]))
        if rows < MIN_ROWS or sessions < MIN_SESSIONS:
            raise InvalidInput(
                f"the column has {rows} values on bars of {sessions} sessions: a verdict needs at least {MIN_ROWS} "
                f"values in {MIN_SESSIONS} sessions; times must be the bars' starts in UTC"
            )

    def _lag(self, rest: Rest) -> Finding:
        hit = strongest_lag(self._described, rest)
        return Finding(
            check=Check.FUTURE_LAG,
            leak=abs(hit.correlation) >= LAG_THRESHOLD,
            strength=abs(hit.correlation),
            threshold=LAG_THRESHOLD,
            detail=f"the {hit.news} that is new {hit.lag} bars later correlates {hit.correlation:+.3f} with what the "
            "past leaves open",
        )

    def _block(self, rest: Rest) -> Finding:
        hit = future_share(self._described, rest)
        bound = _bound(hit)
        return Finding(
            check=Check.FUTURE_BLOCK,
            leak=hit.share > bound,
            strength=hit.share,
            threshold=bound,
            detail=f"the path of the bars after it explains {hit.share:.1%} of what the past leaves open; other days' "
            f"paths explain up to {hit.exchanged:.1%} ({hit.rows} rows)",
        )

    def _barless(self, at: Int64Array, moved: FloatArray) -> Finding:
        hit = next_trade_share(self.bars, at, moved)
        bound = _bound(hit)
        return Finding(
            check=Check.BARLESS,
            leak=hit.share > bound,
            strength=hit.share,
            threshold=bound,
            detail=f"in {hit.rows} minutes without a trade the next trade explains {hit.share:.1%} of the column's "
            "move since the last one",
        )


def _placed(bars: Bars, ts_us: Int64Array, values: FloatArray) -> FloatArray:
    """Return the values that lie on bars, NaN on all others."""
    _, here, there = np.intersect1d(bars.ts_us, ts_us, assume_unique=True, return_indices=True)
    on_bars = np.full(len(bars), np.nan)
    on_bars[here] = values[there]
    return on_bars


def _bound(hit: BlockHit) -> float:
    """Return the share that is too much: twice what a wrong future reached, for columns that change seldom."""
    return min(max(BLOCK_THRESHOLD, 2 * hit.exchanged), _TOO_MUCH)


def _tells_nothing(column: FloatArray, clock: FloatArray) -> str:
    """Return why bars cannot say whether the column knew them, or nothing."""
    if np.sum(np.diff(column) != 0) < _CHANGES:
        return f"the column changes fewer than {_CHANGES} times"
    return "the column hangs on the clock alone" if of_the_clock(column, clock) else ""


def _clock(ts_us: Int64Array) -> FloatArray:
    """Return one number for the weekday and the minute of the session, whatever the summer time."""
    sessions = sessions_between(int(ts_us[0]) - _DAY_US, int(ts_us[-1]) + _DAY_US)
    return (ts_us // _DAY_US % 7 * 1000 + sessions.minute_of(ts_us)).astype(np.float64)
