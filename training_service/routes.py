"""The JSON interface."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from shared.contracts.messages import Predict, Train
from shared.web.accepted import Accepted, accepted
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.service import provided
from training_service.schemas import ModelDetailOut, ModelOut, model_filter
from training_service.use_cases import Models

router = strict_router()

ModelsDep = Annotated[Models, Depends(provided(Models))]


@router.post("/train", status_code=202)
def submit_training(body: Train, models: ModelsDep) -> Accepted:
    """Fit one model in walk-forward folds and freeze it; the job's result names it."""
    return accepted(models.submit(body))


@router.post("/predict", status_code=202)
def submit_prediction(body: Predict, models: ModelsDep) -> Accepted:
    """Predict a window after the model's training, of its own symbol or another."""
    return accepted(models.submit_prediction(body))


@router.get("/models")
def list_models(
    models: ModelsDep,
    paging: PageQuery,
    sort: str = "-created_at",
    symbol: str | None = None,
    parent: str | None = None,
    feature_set: str | None = None,
) -> Page[ModelOut]:
    """List models, sorted by any figure (`sort=-ic`); undefined figures come last. `feature_set` is a set's id."""
    found, total = models.page(model_filter(paging, sort, symbol=symbol, parent=parent, feature_set=feature_set))
    return paging.of([ModelOut.of(model) for model in found], total)


@router.get("/models/counts")
def count_models(models: ModelsDep) -> dict[str, int]:
    """Return by feature set's id how many models were trained on it; sets without one are not named."""
    return models.by_set()


@router.get("/models/{fingerprint}")
def show_model(fingerprint: str, models: ModelsDep) -> ModelDetailOut:
    """Return one model with its folds and what it has predicted."""
    return ModelDetailOut.with_predictions(models.model(fingerprint), models.predicted(fingerprint))
