"""What a feature is: a declaration that people read, and arithmetic on arrays.

Policy that holds for every feature, so that no single one repeats it:

* Causal: the value at bar t uses bars up to and including t, and is known at that bar's close.
* Lags and windows count bars of regular hours. Where a minute had no trade there is no bar, so on a thin symbol
  "15m" spans more than 15 minutes.
* Returns never cross the night: in the first k bars of a session, a k-bar return runs from the session's first
  open. The night itself is a feature of its own (`overnight_gap`). Averages, oscillators and windows of
  volatility do run on across sessions.
* NaN only where the value is undefined: fewer than `warm_up` bars before it (the very beginning of a symbol's
  history), or an input that the source does not have (volume of an index). NaN inputs give NaN outputs.
* 0/0 has a stated neutral value instead (a bar without range closed in its middle: 0.5; a return without
  movement around it is 0 standard deviations away). No value is ever infinite.
* Stored as float32. Arithmetic is float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from feature_service.domain.bars import Bars, FloatArray


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of a feature set.

    warm_up : bars before a bar that its first defined value needs
    formula : one line, in the notation of the catalogue: C close, O open, H high, L low, V volume, r 1-bar return
    source : where the definition is from
    compute : `compute(bars, **params)` returns float64 of shape (len(bars),)
    """

    name: str
    group: str
    inputs: tuple[str, ...]
    formula: str
    source: str
    compute: Callable[..., FloatArray]
    params: Mapping[str, int | float] = field(default_factory=dict[str, int | float])
    warm_up: int = 0

    def values(self, bars: Bars) -> FloatArray:
        """Return the feature of every bar, shape (len(bars),), NaN as the module's policy says."""
        return self.compute(bars, **self.params)
