"""A function run again on what was known at several moments, to see whether it still says the same of the past.

Known at a bar's close: that bar and those before it, and of the context all rows whose bar had closed, or whose
`known_at` had come where the rows carry one (a revision is a second row of the same `ts` with a later `known_at`).

The moments: some at random; some beside nights and weekends, where what looks over a night, at the close or at a whole
opening range acts on a few bars of 390; and the bars of the greatest moves, for what looks ahead only after those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from feature_service.domain.bars import Int64Array
from feature_service.domain.leaks.findings import Check, Finding, Report
from feature_service.domain.leaks.vintages import differences
from shared.errors import InvalidInput

Frames = Mapping[str, pl.DataFrame]
#: takes bars (ts, open, high, low, close, volume) and context by role; returns `ts` and `value`
Function = Callable[[pl.DataFrame, Frames], pl.DataFrame]

CUTS = 8
#: bars from a session's last one, which is 0: the close, the night itself, and opening ranges of 5 to 30 minutes
_BESIDE_A_NIGHT = (-15, -1, 0, 1, 3, 15)
_NIGHTS, _WEEKENDS = 2, 1
_MOVES = 4
_MINUTE, _NIGHT, _WEEKEND = timedelta(minutes=1), timedelta(hours=6), timedelta(hours=48)
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class _Trial:
    """One way to run the function again: `past` makes what it sees at a cut of `bars` and `context`."""

    check: Check
    past: Callable[[pl.DataFrame, Frames, int, np.random.Generator], tuple[pl.DataFrame, Frames]]
    context: Frames
    whole: pl.DataFrame
    cuts: Int64Array


def check_function(
    function: Function, bars: pl.DataFrame, context: Frames, rng: np.random.Generator, cuts: int = CUTS
) -> Report:
    """Recompute `function` on prefixes and on histories with another future.

    bars : ascending usable bars; all cuts fall into their last two thirds, so that windows are warm, and half of the
        random ones before a minute without a bar where there are any: what a function says of such a minute counts too
    cuts : at random; those beside nights and at great moves come on top

    Raises InvalidInput when the same bars do not give the same values: then no difference would prove anything.
    """
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs] - it ships none

    # a fit of small matrices, made dozens of times: with more threads it takes twice as long
    with threadpool_limits(1):
        return _checked(function, bars, context, rng, cuts)


def _checked(function: Function, bars: pl.DataFrame, context: Frames, rng: np.random.Generator, cuts: int) -> Report:
    whole = function(bars, context)
    if (unlike := differences(whole, function(bars, context))).rows:
        raise InvalidInput(
            f"the function gives other values when it is run again on the same bars ({unlike.example}): seed its "
            "random numbers, and keep nothing from one call to the next"
        )
    places = _cuts(bars["ts"], cuts, rng)
    edges = np.setdiff1d(_edges(bars, rng), places)
    everywhere = np.append(places, edges)
    # another future shows what a shorter history does, but for the number of rows: prefixes at edges only take time
    trials = [
        _Trial(Check.PREFIX, _prefix, context, whole, places),
        _Trial(Check.FUTURE_CHANGED, _with_other_bars, context, whole, everywhere),
    ]
    if context:
        # a context that has every minute never makes a join reach for a later one
        cut_out = bars["ts"][everywhere].implode()
        gaps = {role: frame.filter(~pl.col("ts").is_in(cut_out)) for role, frame in context.items()}
        trials.append(_Trial(Check.CONTEXT_CHANGED, _with_other_context, gaps, function(bars, gaps), everywhere))
    skipped: dict[str, str] = {} if context else {Check.CONTEXT_CHANGED: "no context is read"}
    return Report(findings=tuple(_worst(function, bars, one, rng, cuts) for one in trials), skipped=skipped)


def _worst(function: Function, bars: pl.DataFrame, trial: _Trial, rng: np.random.Generator, at_random: int) -> Finding:
    edges = len(trial.cuts) - at_random
    detail = f"{at_random} cuts" + (f" at random, {edges} beside nights and at great moves" if edges else "")
    worst = Finding(check=trial.check, leak=False, strength=0.0, threshold=0.0, detail=f"{detail}, no difference")
    for number, cut in enumerate(trial.cuts.tolist()):
        if number == at_random and worst.leak:
            # what shows at random needs no search for where it acts seldom
            break
        found = _tried(function, bars, trial, cut, rng)
        if found and found.strength > worst.strength:
            worst = found
    return worst


def _tried(function: Function, bars: pl.DataFrame, trial: _Trial, cut: int, rng: np.random.Generator) -> Finding | None:
    """Return what differs when the function is run again on what was known at bar `cut`, or None."""
    until: datetime = bars["ts"][cut]
    following: datetime = bars["ts"][cut + 1]
    again = function(*trial.past(bars, trial.context, cut, rng))
    found = differences(_before(again, following), _before(trial.whole, following))
    if not found.rows:
        return None
    at = f"at {until:%Y-%m-%d %H:%M} UTC, {found.rows} values differ from those of the whole history"
    return Finding(
        check=trial.check, leak=True, strength=float(found.rows), threshold=0.0, detail=f"{at}: {found.example}"
    )


def _cuts(ts: pl.Series, cuts: int, rng: np.random.Generator) -> Int64Array:
    first, last = len(ts) // 3, len(ts) - 1
    instants = ts.to_physical().to_numpy()
    silent = first + np.flatnonzero(np.diff(instants[first:]) > _MINUTE // timedelta(microseconds=1))
    before_silence = rng.choice(silent, cuts // 2) if len(silent) else rng.integers(first, last, cuts // 2)
    return np.sort(np.concatenate([before_silence, rng.integers(first, last, cuts - cuts // 2)]))


def _edges(bars: pl.DataFrame, rng: np.random.Generator) -> Int64Array:
    """Return bars beside nights and weekends, and the one of the greatest move in each of `_MOVES` parts."""
    first, last = bars.height // 3, bars.height - 1
    silence = np.diff(bars["ts"].to_physical().to_numpy()) / 1e6
    nights, weekends = (first + np.flatnonzero(silence[first:] > one.total_seconds()) for one in (_NIGHT, _WEEKEND))
    chosen = np.append(rng.permutation(nights)[:_NIGHTS], rng.permutation(weekends)[:_WEEKENDS])
    beside = np.add.outer(chosen, _BESIDE_A_NIGHT).ravel()
    moves = np.abs(np.diff(np.log(bars["close"].to_numpy()), prepend=np.nan))
    # nights move a price most, and have their cuts already
    moves[np.append(True, silence > _NIGHT.total_seconds())] = 0
    parts = np.array_split(np.arange(first, last), _MOVES)
    greatest = [part[np.argmax(moves[part])] for part in parts if len(part)]
    edges = np.unique(np.append(beside, greatest)).astype(np.int64)
    return edges[(edges >= first) & (edges < last)]


def _before(column: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    return column.filter(pl.col("ts") < moment)


def _prefix(bars: pl.DataFrame, context: Frames, cut: int, rng: np.random.Generator) -> tuple[pl.DataFrame, Frames]:
    del rng
    closed = bars["ts"][cut] + _MINUTE
    return bars.head(cut + 1), {role: frame.filter(_known() <= closed) for role, frame in _dated(context).items()}


def _with_other_bars(
    bars: pl.DataFrame, context: Frames, cut: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, Frames]:
    return _changed(bars, bars["ts"] > bars["ts"][cut], rng), context


def _with_other_context(
    bars: pl.DataFrame, context: Frames, cut: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, Frames]:
    closed = bars["ts"][cut] + _MINUTE
    later = {role: frame.select(_known() > closed).to_series() for role, frame in _dated(context).items()}
    return bars, {role: _changed(frame, later[role], rng) for role, frame in context.items()}


def _dated(context: Frames) -> dict[str, pl.DataFrame]:
    """Return the frames with `known_at`: a bar's close where they carry none."""
    closed = (pl.col("ts") + _MINUTE).alias("known_at")
    return {role: one if "known_at" in one.columns else one.with_columns(closed) for role, one in context.items()}


def _known() -> pl.Expr:
    return pl.col("known_at")


def _changed(frame: pl.DataFrame, later: pl.Series, rng: np.random.Generator) -> pl.DataFrame:
    """Return the frame with another market where `later`."""
    there = later.to_numpy()
    factor = np.where(there, np.exp(np.cumsum(np.where(there, rng.normal(0, 0.01, len(there)), 0.0))), 1.0)
    moved = pl.Series(factor)
    prices = [pl.col(name) * moved for name in _PRICES if name in frame.columns]
    volume = [(pl.col("volume") * moved**3)] if "volume" in frame.columns else []
    return frame.with_columns(*prices, *volume)
