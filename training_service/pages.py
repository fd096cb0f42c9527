"""The pages: models and the train form, one model."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from shared.contracts.messages import Estimator
from shared.errors import BarsmithError
from shared.web.charts import bars
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.service import provided
from training_service.schemas import TrainForm, model_filter
from training_service.use_cases import Models

router = page_router()

ModelsDep = Annotated[Models, Depends(provided(Models))]


@router.get("/")
@router.get("/models")
def models_page(
    request: Request,
    models: ModelsDep,
    paging: PageQuery,
    sort: str = "-created_at",
    symbol: str = "",
    feature_set: str = "",
) -> Response:
    return _models(request, models, paging, sort=sort, symbol=symbol, feature_set=feature_set)


@router.post("/train")
def submit_form(request: Request, models: ModelsDep, submitted: SubmittedForm, paging: PageQuery) -> Response:
    form = check_form(TrainForm, submitted)
    if form.data is not None:
        try:
            return redirect_after_post(f"/jobs/{models.submit(form.data.task())}")
        except BarsmithError as error:
            form = with_error(form, "form", str(error))
    return _models(request, models, paging, form=form, status=422)


@router.get("/models/{fingerprint}")
def model_page(request: Request, fingerprint: str, models: ModelsDep) -> Response:
    model = models.model(fingerprint)
    ranked = sorted(model.importance.items(), key=lambda pair: -pair[1])
    return render(
        request,
        "model.html",
        model=model,
        predicted=models.predicted(fingerprint),
        # in basis points of r2: the numbers themselves are too small to read
        importance=bars([(name, 10_000 * lost) for name, lost in ranked]),
        pruned=sum(lost <= 0 for lost in model.importance.values()),
    )


def _models(
    request: Request,
    models: ModelsDep,
    paging: PageQuery,
    *,
    sort: str = "-created_at",
    symbol: str = "",
    feature_set: str = "",
    form: Form[TrainForm] | None = None,
    status: int = 200,
) -> Response:
    page = paging.of(*models.page(model_filter(paging, sort, symbol=symbol, feature_set=feature_set)))
    estimators = [one.value for one in Estimator]
    return render(request, "models.html", status=status, page=page, form=form, estimators=estimators)
