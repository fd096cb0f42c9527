"""A frozen model as one JSON document, named by the SHA-256 of its bytes.

JSON, so that loading a model can never run code: an ElasticNet is its coefficients, a booster is XGBoost's own
JSON. Numbers are written with the digits that give the same float64 back.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from shared.contracts.identifiers import canonical_json
from shared.contracts.messages import Estimator
from shared.errors import Conflict
from training_service.domain.estimators import Fitted, Params, fit, restore
from training_service.domain.targets import FloatArray

FORMAT = "barsmith-model-1"
#: a column that hardly varies over the training rows is not blown up to unit variance
_SMALLEST_SCALE = 1e-12


@dataclass(frozen=True)
class Frozen:
    """Scaler and estimator, fitted on the same rows: features in their own units to a return.

    centre, scale : mean and standard deviation of each feature over the training rows, shape (k,)
    target_scale : standard deviation of the labels there
    target_mean : their mean, which is what one would predict without a model
    """

    estimator: Estimator
    features: tuple[str, ...]
    centre: FloatArray
    scale: FloatArray
    target_scale: float
    target_mean: float
    fitted: Fitted

    def scaled(self, x: FloatArray) -> FloatArray:
        """Return features in units of their training rows' standard deviation."""
        return (x - self.centre) / self.scale

    def predict(self, x: FloatArray) -> FloatArray:
        """Return the predicted log return of each row; `x` has this model's features in order, without NaN."""
        return self.predict_scaled(self.scaled(x))

    def predict_scaled(self, x: FloatArray) -> FloatArray:
        """Return predictions for features that `scaled` made."""
        return self.target_mean + self.target_scale * self.fitted.predict(x)

    def to_bytes(self) -> bytes:
        """Return the artefact. The same model always gives the same bytes."""
        text = canonical_json(
            {
                "format": FORMAT,
                "estimator": self.estimator.value,
                "features": self.features,
                "centre": [float(one) for one in self.centre],
                "scale": [float(one) for one in self.scale],
                "target_scale": self.target_scale,
                "target_mean": self.target_mean,
                "fitted": self.fitted.as_json(),
            }
        )
        return text.encode()

    @classmethod
    def from_bytes(cls, content: bytes, *, threads: int) -> Frozen:
        """Read an artefact. Raises Conflict when it is of a format this version does not know."""
        data = json.loads(content)
        if data.get("format") != FORMAT:
            raise Conflict(
                f"model artefact has format {data.get('format')!r}, this version reads {FORMAT!r}: train again"
            )
        estimator = Estimator(data["estimator"])
        return cls(
            estimator=estimator,
            features=tuple(data["features"]),
            centre=np.array(data["centre"], dtype=np.float64),
            scale=np.array(data["scale"], dtype=np.float64),
            target_scale=float(data["target_scale"]),
            target_mean=float(data["target_mean"]),
            fitted=restore(estimator, data["fitted"], threads=threads),
        )


def freeze(
    estimator: Estimator,
    params: Params,
    features: tuple[str, ...],
    x: FloatArray,
    y: FloatArray,
    *,
    seed: int,
    threads: int,
) -> Frozen:
    """Fit scaler and estimator on these rows and nothing else: `x` of shape (n, k), `y` of shape (n,), no NaN."""
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > _SMALLEST_SCALE, scale, 1.0)
    target_scale = float(y.std()) or 1.0
    fitted = fit(estimator, params, (x - centre) / scale, (y - y.mean()) / target_scale, seed=seed, threads=threads)
    return Frozen(estimator, features, centre, scale, target_scale, float(y.mean()), fitted)


def sha256(content: bytes) -> str:
    """Return the name of an artefact with this content."""
    return hashlib.sha256(content).hexdigest()


def checked(content: bytes, expected_sha256: str) -> bytes:
    """Return `content`. Raises Conflict unless it is what its name says."""
    found = sha256(content)
    if found != expected_sha256:
        raise Conflict(
            f"model artefact {expected_sha256[:12]} has SHA-256 {found[:12]} now: the file was changed after it was "
            "frozen and is not loaded; restore it or delete it and train the model again"
        )
    return content
