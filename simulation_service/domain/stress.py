"""How much of a chosen strategy is left when the world is a little less kind.

Variants: costs twice as high, fills 1 to 5 bars later, thresholds 10 % lower and higher. Each is an ordinary setting,
simulated and entered in the trial ledger like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.backtests import Costs, Setting, Signal

LATER_BARS = (1, 2, 3, 4, 5)
_LONGEST_DELAY = 60
_NUDGES = (0.9, 1.1)
_EVEN_ODDS = 0.5


@dataclass(frozen=True)
class Variant:
    """A setting under another name."""

    name: str
    setting: Setting


def variants(setting: Setting) -> list[Variant]:
    """Return the setting as it is, then later and with other thresholds; what has no meaning for it is left out."""
    found = [Variant("as it is", setting)]
    for later in LATER_BARS:
        if setting.delay_bars + later <= _LONGEST_DELAY:
            changed = setting.model_copy(update={"delay_bars": setting.delay_bars + later})
            found.append(Variant(f"{later} {'bar' if later == 1 else 'bars'} later", changed))
    for nudge in _NUDGES:
        threshold = _nudged(setting, nudge)
        if threshold != setting.threshold:
            changed = setting.model_copy(update={"threshold": threshold})
            found.append(Variant(f"threshold {'−' if nudge < 1 else '+'}10 %", changed))
    return found


def doubled(costs: Costs) -> Costs:
    """Return costs twice as high; what a fill may take of the volume stays."""
    kept = {"participation"}
    return costs.model_copy(update={name: 2 * getattr(costs, name) for name in Costs.model_fields if name not in kept})


def _nudged(setting: Setting, factor: float) -> float:
    """Return the threshold times `factor`; of a probability its distance to even odds."""
    centre = _EVEN_ODDS if setting.signal is Signal.PROBABILITY else 0.0
    return centre + factor * (setting.threshold - centre)
