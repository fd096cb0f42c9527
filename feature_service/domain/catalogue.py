"""Every feature set, and the computation of one over bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_service.domain import (
    calendar,
    context,
    levels,
    momentum,
    regimes,
    returns,
    reversion,
    trend,
    volatility,
    volume,
)
from feature_service.domain.bars import Bars
from feature_service.domain.feature import Feature, Fit
from shared.contracts.datasets import TS
from shared.contracts.identifiers import fingerprint
from shared.errors import InvalidInput, NotFound

#: changed by hand whenever the numbers of a feature change with its declaration unchanged
CODE_VERSION = "4"


@dataclass(frozen=True)
class FeatureSet:
    """A named group of features that are built and stored together."""

    name: str
    features: tuple[Feature, ...]

    @cached_property
    def id(self) -> str:
        """The name data are stored under: `core-1a2b3c4d`. A changed definition is another id, so old data stay."""
        definition = [one.definition for one in self.features]
        short = fingerprint("feature_set", name=self.name, code_version=CODE_VERSION, features=definition)[:8]
        return f"{self.name}-{short}"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.features)

    @property
    def warm_up(self) -> int:
        """Bars after the beginning of history until every feature can be defined."""
        return max(one.warm_up for one in self.features)

    @property
    def roles(self) -> tuple[str, ...]:
        """The context roles that a feature or a fit of the set reads, sorted."""
        read = [one.context for one in self.features] + [one.roles for one in self.fits]
        return tuple(sorted({role for roles in read for role in roles}))

    @property
    def fits(self) -> tuple[Fit, ...]:
        """The estimations its features read, each once."""
        return tuple({fit.name: fit for one in self.features for fit in one.fits}.values())

    def feature(self, name: str) -> Feature:
        """Return the feature called `name`. Raises NotFound."""
        for one in self.features:
            if one.name == name:
                return one
        raise NotFound(f"feature set {self.name!r} has no feature {name!r}: see GET /catalogue")

    def compute(self, bars: Bars) -> pl.DataFrame:
        """Return `ts` and one column a feature as it is stored, one row a bar. Raises InvalidInput on infinities."""
        from feature_service.domain.kernels import narrowed

        columns = dict[str, npt.NDArray[np.float32 | np.float64]]()
        # in one piece: the system hands out large memory in large pages, a third of the time of many small ones
        narrow = iter(np.empty((sum(one.stored == "float32" for one in self.features), len(bars)), dtype=np.float32))
        for one in self.features:
            values = one.values(bars)
            column = next(narrow) if one.stored == "float32" else values
            if len(bars) and narrowed(values, column):
                raise InvalidInput(
                    f"{one.name} is infinite at row {int(np.isinf(column).argmax())} of {len(bars)} bars: "
                    "a price or volume there is not what a market prints; check the bars"
                )
            columns[one.name] = column
        return pl.DataFrame({"ts": pl.Series(bars.ts_us).cast(TS), **columns})


#: every module that declares features. To add some: a file that ends in FEATURES, and its name here
MODULES = (returns, trend, momentum, volatility, volume, reversion, levels, calendar, context, regimes)

FULL = FeatureSet("full", tuple(one for module in MODULES for one in module.FEATURES))


def _named(name: str, columns: tuple[str, ...]) -> FeatureSet:
    return FeatureSet(name, tuple(FULL.feature(column) for column in columns))


#: enough to train on, and stationary: no prices, nothing from other symbols
CORE = _named(
    "core",
    (
        *("log_return_1m", "log_return_5m", "log_return_15m", "log_return_30m", "log_return_60m", "overnight_gap"),
        *("return_z_score_20", "return_z_15", "vol_adj_mom_20"),
        *("realised_vol_30", "vol_ratio_60", "parkinson_vol_20", "atr_ratio_15"),
        *("ema_9_dist", "ema_21_dist", "sma_50_dist", "sma_200_dist", "rsi_14", "macd_hist"),
        *("bollinger_pct_b", "stochastic_k", "ibs"),
        *("dist_vwap", "volume_rel_20", "volume_change", "amihud_illiquidity", "obv_slope_20"),
        *("time_sin", "time_cos", "day_of_week_sin", "day_of_week_cos", "minutes_since_open"),
    ),
)


def _group(name: str) -> FeatureSet:
    return FeatureSet(name.replace(" ", "_"), tuple(one for one in FULL.features if one.group == name))


#: the default, everything, and each group by its name
SETS = {one.name: one for one in (CORE, FULL, *map(_group, dict.fromkeys(feature.group for feature in FULL.features)))}


def feature_set(name: str) -> FeatureSet:
    """Return the set called `name`, by its plain name ("core") or its present id ("core-1a2b3c4d").

    Raises NotFound for an unknown name and for an id that this build no longer makes.
    """
    for one in SETS.values():
        if name in {one.name, one.id}:
            return one
    known = ", ".join(f"{one.name} ({one.id})" for one in SETS.values())
    raise NotFound(f"feature set {name!r} is not made by this version: it makes {known}")
