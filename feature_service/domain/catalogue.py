"""Every feature set, and the computation of one over bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from feature_service.domain import calendar, returns, trend, volatility, volume
from feature_service.domain.bars import Bars
from feature_service.domain.feature import Feature
from shared.contracts.datasets import TS
from shared.contracts.identifiers import fingerprint
from shared.errors import InvalidInput, NotFound

#: changed by hand whenever the numbers of a feature change with its declaration unchanged
CODE_VERSION = "2"


@dataclass(frozen=True)
class FeatureSet:
    """A named group of features that are built and stored together."""

    name: str
    features: tuple[Feature, ...]

    @cached_property
    def id(self) -> str:
        """The name data are stored under: `core-1a2b3c4d`. A changed definition is another id, so old data stay."""
        definition = [{"name": one.name, "params": one.params} for one in self.features]
        short = fingerprint("feature_set", name=self.name, code_version=CODE_VERSION, features=definition)[:8]
        return f"{self.name}-{short}"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.features)

    @property
    def warm_up(self) -> int:
        """Bars after the beginning of history until every feature can be defined."""
        return max(one.warm_up for one in self.features)

    def feature(self, name: str) -> Feature:
        """Return the feature called `name`. Raises NotFound."""
        for one in self.features:
            if one.name == name:
                return one
        raise NotFound(f"feature set {self.name!r} has no feature {name!r}: see GET /catalogue")

    def compute(self, bars: Bars) -> pl.DataFrame:
        """Return `ts` and one Float32 column a feature, one row a bar. Raises InvalidInput on an infinite value."""
        columns = {one.name: _checked(one, bars) for one in self.features}
        return pl.DataFrame({"ts": pl.Series(bars.ts_us).cast(TS), **columns})


def _checked(feature: Feature, bars: Bars) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    values = feature.values(bars) if len(bars) else np.empty(0)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise InvalidInput(
            f"{feature.name} is infinite at row {int(infinite[0])} of {len(bars)} bars: "
            "a price or volume there is not what a market prints; check the bars"
        )
    return values.astype(np.float32)


CORE = FeatureSet(
    "core",
    (
        *returns.FEATURES,
        *volatility.FEATURES,
        *trend.FEATURES,
        *volume.FEATURES,
        *calendar.FEATURES,
    ),
)
SETS = {CORE.name: CORE}


def feature_set(name: str) -> FeatureSet:
    """Return the set called `name`, by its plain name ("core") or its present id ("core-1a2b3c4d").

    Raises NotFound for an unknown name and for an id that this build no longer makes.
    """
    for one in SETS.values():
        if name in {one.name, one.id}:
            return one
    known = ", ".join(f"{one.name} ({one.id})" for one in SETS.values())
    raise NotFound(f"feature set {name!r} is not made by this version: it makes {known}")
