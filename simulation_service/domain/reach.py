"""What a signal gives away: that no threshold can be passed (percent over log returns), or that it knows the future."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shared.contracts.backtests import Setting, Signal
from simulation_service.domain.market import Market
from simulation_service.domain.series import scores

#: by signal, the lowest and the highest of what thresholds are compared with, both None where nothing was said; of a
#: user's series also its correlation with what the next bar did, None where that says nothing
Ranges = Mapping[str, tuple[float | None, ...]]

#: no honest signal moves so much with the minute that follows; the following return itself does with 1
_TOO_GOOD = 0.25
_LEAST_BARS = 100


def ranges_of(market: Market, settings: Sequence[Setting], *, own: bool) -> Ranges:
    """Return the ranges of the signals that the settings read; `own`: a user's series."""
    signals = sorted({setting.signal for setting in settings})
    return {one.value: (*_range(market, one), *([_foresight(market, one)] if own else [])) for one in signals}


def remark(settings: Sequence[Setting], ranges: Ranges) -> str:
    """Return what has to be said of these figures: why no setting can trade, or that the signal looks ahead; or ""."""
    return why_silent(settings, ranges) or _why_suspect(ranges)


def _why_suspect(ranges: Ranges) -> str:
    for signal, (_, _, *more) in ranges.items():
        if more and more[0] is not None and more[0] > _TOO_GOOD:
            return (
                f"the {signal.replace('_', ' ')} signal moves with the bar that follows it (correlation {more[0]:.2f})"
                ": look for a value that was not known yet at the close of its bar. ts is the bar's start"
            )
    return ""


def why_silent(settings: Sequence[Setting], ranges: Ranges) -> str:
    """Return why none of these settings can ever trade, "" where one could, or nothing is known of the signal."""
    if not settings or any(setting.signal not in ranges or _reaches(setting, ranges) for setting in settings):
        return ""
    said = " and ".join(_told(signal, ranges[signal]) for signal in sorted({setting.signal for setting in settings}))
    thresholds = sorted({setting.threshold for setting in settings})
    passed = f"threshold {thresholds[0]:g} is" if len(thresholds) == 1 else f"thresholds from {thresholds[0]:g} are"
    silent = "this setting cannot trade" if len(settings) == 1 else f"none of {len(settings)} settings can trade"
    return f"{said}: {passed} never passed, so {silent}. Give thresholds in the signal's own unit"


def _reaches(setting: Setting, ranges: Ranges) -> bool:
    """Whether some bar's signal passes the threshold; one that moves with volatility counts as passed."""
    low, high, *_ = ranges[setting.signal]
    if low is None or high is None:
        return False
    if setting.volatility_scaled:
        return True
    below = 1.0 - setting.threshold if setting.signal is Signal.PROBABILITY else -setting.threshold
    return (setting.side != "short_flat" and high > setting.threshold) or (setting.side != "long_flat" and low < below)


def _range(market: Market, signal: Signal) -> tuple[float | None, float | None]:
    found = scores(market, signal)
    known = found[np.isfinite(found)]
    return (float(known.min()), float(known.max())) if len(known) else (None, None)


def _foresight(market: Market, signal: Signal) -> float | None:
    """Return the correlation of the signal with the return of the next bar of its session."""
    said, moved = scores(market, signal)[:-1], np.diff(market.close) / market.close[:-1]
    last = np.zeros(len(said), dtype=np.bool_)
    last[market.starts[1:-1] - 1] = True
    known = np.isfinite(said) & (said != 0) & ~last
    if known.sum() < _LEAST_BARS or np.ptp(said[known]) == 0 or np.ptp(moved[known]) == 0:
        return None
    return float(np.corrcoef(said[known], moved[known])[0, 1])


def _told(signal: str, span: tuple[float | None, ...]) -> str:
    low, high, *_ = span
    name = signal.replace("_", " ")
    if low is None or high is None:
        return f"the {name} signal says nothing on any bar of the window"
    return f"the {name} signal goes from {low:g} to {high:g}"
