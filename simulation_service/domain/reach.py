"""Whether a threshold can be passed at all: a grid in percent over a signal in log returns never trades, in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shared.contracts.backtests import Setting, Signal
from simulation_service.domain.market import Market
from simulation_service.domain.series import scores

#: by signal, the lowest and the highest of what thresholds are compared with; both None where nothing was said
Ranges = Mapping[str, tuple[float | None, float | None]]


def ranges_of(market: Market, settings: Sequence[Setting]) -> Ranges:
    """Return the ranges of the signals that the settings read."""
    return {signal.value: _range(market, signal) for signal in sorted({setting.signal for setting in settings})}


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
    low, high = ranges[setting.signal]
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


def _told(signal: str, span: tuple[float | None, float | None]) -> str:
    low, high = span
    name = signal.replace("_", " ")
    if low is None or high is None:
        return f"the {name} signal says nothing on any bar of the window"
    return f"the {name} signal goes from {low:g} to {high:g}"
