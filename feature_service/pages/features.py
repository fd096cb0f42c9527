"""The pages: what is built and the build form, the build log, one symbol's columns."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from feature_service.domain.catalogue import SETS
from feature_service.pages.views import shown_set, unbuilt
from feature_service.schemas.features import BuildForm
from feature_service.use_cases import Builds, Features, Lineage
from shared.errors import NotFound
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.service import provided

router = page_router()

FeaturesDep = Annotated[Features, Depends(provided(Features))]
BuildsDep = Annotated[Builds, Depends(provided(Builds))]
LineageDep = Annotated[Lineage, Depends(provided(Lineage))]


@router.get("/")
@router.get("/coverage")
def coverage_page(
    request: Request, features: FeaturesDep, lineage: LineageDep, paging: PageQuery, symbol: str = ""
) -> Response:
    return _coverage(request, features, lineage, paging, symbol=symbol)


@router.post("/features/build")
def submit_form(
    request: Request,
    builds: BuildsDep,
    features: FeaturesDep,
    lineage: LineageDep,
    submitted: SubmittedForm,
    paging: PageQuery,
) -> Response:
    form = check_form(BuildForm, submitted)
    if form.data is not None:
        try:
            jobs = builds.submit(form.data.request().each())
        except NotFound as error:
            form = with_error(form, "symbols", str(error))
        else:
            return redirect_after_post(f"/jobs/{jobs[0]}" if len(jobs) == 1 else "/jobs?kind=features.build")
    return _coverage(request, features, lineage, paging, form=form, status=422)


@router.get("/builds")
def builds_page(request: Request, features: FeaturesDep, paging: PageQuery, symbol: str = "") -> Response:
    found, total = features.builds(symbol=symbol.upper() or None, limit=paging.per_page, offset=paging.offset)
    return render(request, "builds.html", page=paging.of(found, total), counts=features.build_counts())


@router.get("/features/{symbol}")
def symbol_page(
    request: Request, symbol: str, features: FeaturesDep, feature_set: str = "", column: str = ""
) -> Response:
    built = features.built(symbol)
    shown = shown_set(features, symbol, feature_set)
    if shown is None:
        return unbuilt(request, features, symbol, "features", feature_set or "core")
    columns = features.summary(shown.symbol, shown.feature_set)
    chosen = column if column in {one.name for one in columns} else columns[0].name
    return render(
        request,
        "symbol.html",
        symbol=shown.symbol,
        columns=columns,
        built=shown,
        sets=built,
        present=shown.feature_set in {one.id for one in SETS.values()},
        chosen=chosen,
    )


def _coverage(
    request: Request,
    features: FeaturesDep,
    lineage: LineageDep,
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
        models=lineage.models(*built),
        old=sorted(built.keys() - {one.id for one in features.sets()}),
        counts=features.build_counts(),
        form=form,
    )
