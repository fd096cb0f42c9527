"""What the registry knows of a model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.messages import Estimator, Folds, Message, Target, Window


class Model(Message):
    """A frozen model. `importance` is by feature, out of sample; `metrics` pools the folds of `fold_results`."""

    fingerprint: str
    symbol: str
    feature_set: str
    features: list[str]
    estimator: Estimator
    params: dict[str, float | int]
    target: Target
    folds: Folds
    train: Window
    predict: Window | None
    seed: int
    parent: str | None
    importance: dict[str, float]
    metrics: dict[str, Any]
    fold_results: list[dict[str, Any]]
    train_rows: int
    artefact_sha256: str
    data_version: str
    code_version: str
    job_id: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """For which bars of a symbol a model's predictions are stored."""

    symbol: str
    rows: int
    first_ts: datetime
    last_ts: datetime
