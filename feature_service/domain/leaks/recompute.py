"""A function run again on what was known at several moments, to see whether it still says the same of the past.

Known at a bar's close: that bar and those before it, and of the context all rows whose bar had closed, or whose
`known_at` had come where the rows carry one (a revision is a second row of the same `ts` with a later `known_at`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
_MINUTE = timedelta(minutes=1)
_PRICES = ("open", "high", "low", "close")


def check_function(
    function: Function, bars: pl.DataFrame, context: Frames, rng: np.random.Generator, cuts: int = CUTS
) -> Report:
    """Recompute `function` on prefixes and on histories with another future.

    bars : ascending usable bars; the cuts fall into their last two thirds, so that windows are warm, and half of them
        before a minute without a bar where there are any: what a function says of such a minute counts too

    Raises InvalidInput when the same bars do not give the same values: then no difference would prove anything.
    """
    whole = function(bars, context)
    if (unlike := differences(whole, function(bars, context))).rows:
        raise InvalidInput(
            f"the function gives other values when it is run again on the same bars ({unlike.example}): seed its "
            "random numbers, and keep nothing from one call to the next"
        )
    places = _cuts(bars["ts"], cuts, rng)
    trials = {Check.PREFIX: _prefix, Check.FUTURE_CHANGED: _with_other_bars}
    if context:
        trials[Check.CONTEXT_CHANGED] = _with_other_context
    findings = list[Finding]()
    for check, trial in trials.items():
        worst = Finding(check=check, leak=False, strength=0.0, threshold=0.0, detail=f"{cuts} cuts, no difference")
        for cut in places:
            past, beside = trial(bars, context, int(cut), rng)
            until: datetime = bars["ts"][int(cut)]
            following: datetime = bars["ts"][int(cut) + 1]
            found = differences(_before(function(past, beside), following), _before(whole, following))
            if found.rows > worst.strength:
                at = f"at {until:%Y-%m-%d %H:%M} UTC, {found.rows} values differ from those of the whole history"
                worst = Finding(
                    check=check, leak=True, strength=float(found.rows), threshold=0.0, detail=f"{at}: {found.example}"
                )
        findings.append(worst)
    return Report(findings=tuple(findings), skipped={} if context else {Check.CONTEXT_CHANGED: "no context is read"})


def _cuts(ts: pl.Series, cuts: int, rng: np.random.Generator) -> Int64Array:
    first, last = len(ts) // 3, len(ts) - 1
    instants = ts.to_physical().to_numpy()
    silent = first + np.flatnonzero(np.diff(instants[first:]) > _MINUTE // timedelta(microseconds=1))
    before_silence = rng.choice(silent, cuts // 2) if len(silent) else rng.integers(first, last, cuts // 2)
    return np.sort(np.concatenate([before_silence, rng.integers(first, last, cuts - cuts // 2)]))


def _before(column: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    return column.filter(pl.col("ts") < moment)


def _prefix(
    bars: pl.DataFrame, context: Frames, cut: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
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
