"""What the service is asked by its form, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, Field, model_validator

from shared.contracts.messages import Day, Estimator, Folds, Symbol, Target, Train, Window, midnight
from shared.web.forms import Listed
from shared.web.pagination import PageNumbers, sort_of
from training_service.domain.metrics import Metrics
from training_service.domain.records import Model, Predicted
from training_service.store import ModelFilter

SortColumn = Literal["created_at", "ic", "r2", "hit_rate", "horizon_bars"]


def model_filter(
    paging: PageNumbers,
    sort: str,
    *,
    symbol: str | None = None,
    parent: str | None = None,
    feature_set: str | None = None,
) -> ModelFilter:
    """Return which page of which models is asked for. Raises InvalidInput for an unknown sort column."""
    column, descending = sort_of(sort, get_args(SortColumn))
    return ModelFilter(
        symbol=symbol.upper() if symbol else None,
        parent=parent or None,
        feature_set=feature_set or None,
        sort=column,
        descending=descending,
        limit=paging.per_page,
        offset=paging.offset,
    )


class ModelOut(BaseModel):
    """A frozen model: what it was made of, and how its folds did out of sample."""

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
    metrics: Metrics
    train_rows: int
    artefact_sha256: str
    data_version: str
    code_version: str
    created_at: datetime

    @classmethod
    def of(cls, model: Model) -> Self:
        return cls.model_validate(model, from_attributes=True)


class PredictedOut(BaseModel):
    """For which bars of a symbol predictions are stored."""

    symbol: str
    rows: int
    first_ts: datetime
    last_ts: datetime


class ModelDetailOut(ModelOut):
    """A model with its folds and what it has predicted so far."""

    fold_results: list[dict[str, Any]]
    predicted: list[PredictedOut]

    @classmethod
    def with_predictions(cls, model: Model, predicted: list[Predicted]) -> Self:
        stored = [PredictedOut.model_validate(one, from_attributes=True) for one in predicted]
        return cls(**ModelOut.of(model).model_dump(), fold_results=model.fold_results, predicted=stored)


class TrainForm(BaseModel):
    """What the page's form sends. Days begin at 00:00 UTC; the last one is not included."""

    symbol: Symbol
    estimator: Estimator = Estimator.ELASTICNET
    horizon_bars: int = Field(default=15, ge=1, le=389)
    start: Day
    end: Day
    predict_until: Day | None = None
    feature_set: str = "core"
    features: Annotated[tuple[str, ...], Listed] = ()
    train_days: int = Field(default=120, ge=5)
    test_days: int = Field(default=30, ge=1)
    embargo_bars: int = Field(default=30, ge=0)
    seed: int = Field(default=7, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"training starts on {self.start} but ends on {self.end}: start must come first")
        if self.predict_until is not None and self.predict_until <= self.end:
            raise ValueError(f"predict until {self.predict_until} is not after the end of training, {self.end}")
        return self

    def task(self) -> Train:
        end = midnight(self.end)
        until = None if self.predict_until is None else Window(start=end, end=midnight(self.predict_until))
        return Train(
            symbol=self.symbol,
            feature_set=self.feature_set,
            features=self.features,
            estimator=self.estimator,
            target=Target(horizon_bars=self.horizon_bars),
            folds=Folds(train_days=self.train_days, test_days=self.test_days, embargo_bars=self.embargo_bars),
            train=Window(start=midnight(self.start), end=end),
            predict=until,
            seed=self.seed,
        )
