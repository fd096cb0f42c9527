"""The two estimators, behind one shape: fit on scaled arrays, predict, describe yourself as JSON.

Both see features scaled by mean and standard deviation of their training rows, and a target
centred and scaled likewise, so that parameters mean the same on every symbol and horizon. Nothing here is random but
XGBoost's subsampling, which the seed decides.
"""

# sklearn has no types and xgboost partial ones
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from shared.contracts.messages import Estimator
from shared.errors import InvalidInput
from training_service.domain.targets import FloatArray

Params = Mapping[str, float | int | str | bool]

#: `alpha` is in units of the scaled target: at l1_ratio 0.5 a feature whose partial correlation with the target is
#: below 0.005 gets no weight, which is about the noise of a year of overlapping 15-minute labels
ELASTICNET_DEFAULTS: Params = {"alpha": 0.01, "l1_ratio": 0.5}
#: small trees, few of them, large leaves: returns are nearly noise, and depth finds what is not there
XGBOOST_DEFAULTS: Params = {
    "n_estimators": 60,
    "max_depth": 3,
    "learning_rate": 0.05,
    "subsample": 0.5,
    "colsample_bytree": 0.5,
    "min_child_weight": 200.0,
    "reg_lambda": 1.0,
    "reg_alpha": 0.0,
    "gamma": 0.0,
    "max_bin": 64,
}
DEFAULTS = {Estimator.ELASTICNET: ELASTICNET_DEFAULTS, Estimator.XGBOOST: XGBOOST_DEFAULTS}

#: inclusive bounds of what may be asked for: outside of them a fit is meaningless or takes an hour
LIMITS: Mapping[str, tuple[float, float]] = {
    "alpha": (1e-6, 10.0),
    "l1_ratio": (0.0, 1.0),
    "n_estimators": (1, 2_000),
    "max_depth": (1, 10),
    "learning_rate": (1e-4, 1.0),
    "subsample": (0.05, 1.0),
    "colsample_bytree": (0.05, 1.0),
    "min_child_weight": (0.0, 1e6),
    "reg_lambda": (0.0, 1e6),
    "reg_alpha": (0.0, 1e6),
    "gamma": (0.0, 1e6),
    "max_bin": (8, 1_024),
}
_WHOLE = {"n_estimators", "max_depth", "max_bin"}


def complete_params(estimator: Estimator, params: Params) -> dict[str, float | int]:
    """Return `params` with the estimator's defaults for what is left out.

    Raises InvalidInput naming an unknown parameter, a value that is no number, or one outside its limits.
    """
    defaults = DEFAULTS[estimator]
    if unknown := sorted(set(params) - set(defaults)):
        raise InvalidInput(f"{estimator} has no parameter {unknown[0]!r}: it has {', '.join(sorted(defaults))}")
    return {name: _checked(name, value) for name, value in {**defaults, **params}.items()}


def _checked(name: str, value: float | str | bool) -> float | int:  # noqa: FBT001 - a JSON value
    low, high = LIMITS[name]
    if isinstance(value, bool | str) or not low <= value <= high or (name in _WHOLE and value != int(value)):
        kind = "a whole number" if name in _WHOLE else "a number"
        raise InvalidInput(f"{name} is {value!r}: give {kind} from {low:g} to {high:g}")
    return int(value) if name in _WHOLE else float(value)


class Fitted(Protocol):
    """What a fit leaves behind. Works on scaled features and a scaled target."""

    def predict(self, x: FloatArray) -> FloatArray:
        """Return the prediction of each row of `x`, shape (n, k) -> (n,)."""
        ...

    def used(self) -> frozenset[int]:
        """Return the columns that can change a prediction at all."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return what `restore` needs: data only, nothing that runs."""
        ...


@dataclass(frozen=True)
class Linear:
    """intercept + x @ coefficients."""

    intercept: float
    coefficients: FloatArray

    def predict(self, x: FloatArray) -> FloatArray:
        return self.intercept + x @ self.coefficients

    def used(self) -> frozenset[int]:
        return frozenset(int(column) for column in np.flatnonzero(self.coefficients))

    def as_json(self) -> dict[str, Any]:
        return {"intercept": self.intercept, "coefficients": [float(one) for one in self.coefficients]}


@dataclass(frozen=True)
class Trees:
    """An XGBoost booster, kept as its own JSON text."""

    text: str
    booster: Any
    columns: int

    def predict(self, x: FloatArray) -> FloatArray:
        return self.booster.inplace_predict(x.astype(np.float32)).astype(np.float64)

    def used(self) -> frozenset[int]:
        return frozenset(int(name[1:]) for name in self.booster.get_score(importance_type="weight"))

    def as_json(self) -> dict[str, Any]:
        return {"booster": self.text, "columns": self.columns}


def fit(estimator: Estimator, params: Params, x: FloatArray, y: FloatArray, *, seed: int, threads: int) -> Fitted:
    """Fit on scaled `x` of shape (n, k) and scaled `y` of shape (n,), neither with NaN."""
    if estimator is Estimator.ELASTICNET:
        return _fit_linear(params, x, y)
    return _fit_trees(params, x, y, seed=seed, threads=threads)


def restore(estimator: Estimator, data: Mapping[str, Any], *, threads: int) -> Fitted:
    """Return what `Fitted.as_json` described."""
    if estimator is Estimator.ELASTICNET:
        return Linear(float(data["intercept"]), np.array(data["coefficients"], dtype=np.float64))
    return _trees(str(data["booster"]), int(data["columns"]), threads)


def _fit_linear(params: Params, x: FloatArray, y: FloatArray) -> Linear:
    from sklearn.linear_model import ElasticNet

    # cyclic coordinate descent on the Gram matrix: no randomness, and its cost does not depend on the rows
    model = ElasticNet(
        alpha=float(params["alpha"]),
        l1_ratio=float(params["l1_ratio"]),
        precompute=True,
        max_iter=10_000,
        tol=1e-6,
        selection="cyclic",
    ).fit(x, y)
    return Linear(float(model.intercept_), np.asarray(model.coef_, dtype=np.float64))


def _fit_trees(params: Params, x: FloatArray, y: FloatArray, *, seed: int, threads: int) -> Trees:
    import xgboost

    settings = {name: value for name, value in params.items() if name != "n_estimators"}
    booster = xgboost.train(
        {
            **settings,
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "base_score": 0.0,
            "seed": seed,
            "nthread": threads,
            "verbosity": 0,
        },
        xgboost.QuantileDMatrix(
            x.astype(np.float32), y.astype(np.float32), nthread=threads, max_bin=int(params["max_bin"])
        ),
        num_boost_round=int(params["n_estimators"]),
    )
    # read back at once, so that what predicts now is exactly what is kept
    return _trees(bytes(booster.save_raw("json")).decode(), x.shape[1], threads)


def _trees(text: str, columns: int, threads: int) -> Trees:
    import xgboost

    booster = xgboost.Booster({"nthread": threads, "verbosity": 0})
    booster.load_model(bytearray(text.encode()))
    return Trees(text, booster, columns)
