"""What a feature is: a declaration that people read, and arithmetic on arrays.

Policy that holds for every feature, so that no single one repeats it:

* Causal: the value at bar t uses bars up to and including t, and is known at that bar's close.
* Lags and windows count bars of regular hours. Where a minute had no trade there is no bar, so on a thin symbol
  "15m" spans more than 15 minutes.
* Returns never cross the night: in the first k bars of a session, a k-bar return runs from the session's first
  open. The night itself is a feature of its own (`overnight_gap`). Averages, oscillators and windows of
  volatility do run on across sessions.
* Bars come in the shares of the last of them: a split among them is no move, and columns that are prices or shares
  are in those of each row's own day (`blocks`).
* NaN only where the value is undefined: fewer than `warm_up` bars before it (the very beginning of a symbol's
  history, or of what follows a hole of a month), or an input that the source does not have (volume of an index). NaN
  inputs give NaN outputs.
* 0/0 has a stated neutral value instead (a bar without range closed in its middle: 0.5; a return without
  movement around it is 0 standard deviations away). No value is ever infinite.
* Arithmetic is float64. Stored as float32, unless the declaration says why not: prices and cumulative volume are
  float64, since their differences would drown in float32's 7 digits.
* A feature that reads other symbols names their `context` roles and finds them in `bars.context`; one that needs an
  expensive estimation names a `Fit` and finds its result in `bars.fits`. Either may be absent: the feature then gives
  its documented default, or NaN, and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from feature_service.domain.bars import Bars, Fitted, FloatArray
from shared.contracts.identifiers import fingerprint


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Numbers estimated on a schedule: once a month, on bars before that month's first only, and kept.

    rows : the most usable bars before the month that the estimation sees; of every context role too
    minimum : with fewer bars than this before the month there is no result
    estimate : `estimate(bars, **params)` returns arrays by name; deterministic
    of : the context role whose bars it is estimated on, one result for all symbols; empty: the symbol's own bars
    version : raised by hand when the numbers change with the declaration unchanged
    """

    name: str
    rows: int
    minimum: int
    estimate: Callable[..., Fitted]
    params: Mapping[str, int | float] = field(default_factory=dict[str, int | float])
    of: str = ""
    context: tuple[str, ...] = ()
    version: int = 1

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the roles of all bars it sees that are not the symbol's own."""
        return (*((self.of,) if self.of else ()), *self.context)

    def fitted(self, bars: Bars) -> Fitted:
        """Return what the estimation leaves behind; -0.0 becomes 0.0, as it does when it is kept as JSON."""
        return {name: values + 0.0 for name, values in self.estimate(bars, **self.params).items()}


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of a feature set.

    warm_up : bars before a bar that its first defined value needs
    formula : one line, in the notation of the catalogue: C close, O open, H high, L low, V volume, r 1-bar return
    source : where the definition is from
    compute : `compute(bars, **params)` returns float64 of shape (len(bars),)
    context : roles of other symbols it reads from `bars.context`
    fits : estimations it reads from `bars.fits`
    stored : the type its column is stored as
    cumulative : whether its level depends on where the block's warm-up begins, as only that of a running sum may
    version : raised by hand when its numbers change with the declaration unchanged
    """

    name: str
    group: str
    inputs: tuple[str, ...]
    formula: str
    source: str
    compute: Callable[..., FloatArray]
    params: Mapping[str, int | float] = field(default_factory=dict[str, int | float])
    warm_up: int = 0
    context: tuple[str, ...] = ()
    fits: tuple[Fit, ...] = ()
    stored: Literal["float32", "float64"] = "float32"
    cumulative: bool = False
    version: int = 1

    @property
    def definition(self) -> dict[str, object]:
        """What names the feature's numbers; what is as usual is left out, so that names outlast new kinds of it."""
        named: dict[str, object] = {"name": self.name, "params": self.params}
        if self.version > 1:
            named["version"] = self.version
        if self.stored != "float32":
            named["stored"] = self.stored
        if self.context:
            named["context"] = self.context
        if self.fits:
            named["fits"] = [
                {"name": fit.name, "of": fit.of, "params": fit.params, "rows": fit.rows, "version": fit.version}
                for fit in self.fits
            ]
        return named

    @property
    def documentation(self) -> str:
        """What the arithmetic's docstring says, in one paragraph."""
        return " ".join((self.compute.__doc__ or "").split())

    @property
    def parameters_hash(self) -> str:
        """The first 12 hex digits of what names the feature's parameters, context and fits."""
        return fingerprint("feature", **self.definition)[:12]

    def values(self, bars: Bars) -> FloatArray:
        """Return the feature of every bar, shape (len(bars),), NaN as the module's policy says."""
        return self.compute(bars, **self.params)
