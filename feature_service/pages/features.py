"""The pages: what is built and the build form, one symbol's columns."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from feature_service.schemas.features import BuildForm
from feature_service.use_cases import Builds, Features
from shared.errors import NotFound
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.service import provided

router = page_router()

FeaturesDep = Annotated[Features, Depends(provided(Features))]
BuildsDep = Annotated[Builds, Depends(provided(Builds))]


@router.get("/")
@router.get("/coverage")
def coverage_page(request: Request, features: FeaturesDep, paging: PageQuery, symbol: str = "") -> Response:
    return _coverage(request, features, paging, symbol=symbol)


@router.post("/features/build")
def submit_form(
    request: Request, builds: BuildsDep, features: FeaturesDep, submitted: SubmittedForm, paging: PageQuery
) -> Response:
    form = check_form(BuildForm, submitted)
    if form.data is not None:
        try:
            jobs = builds.submit(form.data.request().each())
        except NotFound as error:
            form = with_error(form, "symbols", str(error))
        else:
            return redirect_after_post(f"/jobs/{jobs[0]}" if len(jobs) == 1 else "/jobs?kind=features.build")
    return _coverage(request, features, paging, form=form, status=422)


@router.get("/features/{symbol}")
def symbol_page(
    request: Request, symbol: str, features: FeaturesDep, feature_set: str = "core", column: str = ""
) -> Response:
    symbol = symbol.upper()
    columns = features.summary(symbol, feature_set)
    found, _ = features.coverage(name=feature_set, symbol=symbol, limit=1)
    chosen = column if column in {one.name for one in columns} else columns[0].name
    return render(
        request, "symbol.html", symbol=symbol, columns=columns, built=found[0] if found else None, chosen=chosen
    )


def _coverage(
    request: Request,
    features: FeaturesDep,
    paging: PageQuery,
    *,
    symbol: str = "",
    form: Form[BuildForm] | None = None,
    status: int = 200,
) -> Response:
    found, total = features.coverage(symbol=symbol.upper() or None, limit=paging.per_page, offset=paging.offset)
    built = {one.feature_set: one for one in features.built_sets()}
    return render(
        request,
        "coverage.html",
        status=status,
        page=paging.of(found, total),
        sets=features.sets(),
        built=built,
        old=sorted(built.keys() - {one.id for one in features.sets()}),
        counts=features.build_counts(),
        form=form,
    )
