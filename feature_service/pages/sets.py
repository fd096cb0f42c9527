"""The pages of one set (checks, columns, a feature under the candles, correlations) and of the catalogue."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import Depends, Query, Request, Response

from feature_service.domain.catalogue import feature_set
from feature_service.pages.views import heat, shape_plot
from feature_service.schemas.asking import SetView
from feature_service.schemas.statistics import sorted_columns
from feature_service.use_cases import Builds, Features, Lineage, Statistics
from shared.web.pages import page_router, render
from shared.web.service import provided

router = page_router()

FeaturesDep = Annotated[Features, Depends(provided(Features))]
BuildsDep = Annotated[Builds, Depends(provided(Builds))]
StatisticsDep = Annotated[Statistics, Depends(provided(Statistics))]
LineageDep = Annotated[Lineage, Depends(provided(Lineage))]


@router.get("/catalogue")
def catalogue_page(request: Request, features: FeaturesDep) -> Response:
    ordered = sorted(features.catalogue(), key=lambda one: one.group)
    groups = {name: list(found) for name, found in groupby(ordered, key=lambda one: one.group)}
    return render(request, "catalogue.html", groups=groups, total=len(ordered))


@router.get("/sets/{name}")
def set_page(
    request: Request,
    name: str,
    features: FeaturesDep,
    builds: BuildsDep,
    statistics: StatisticsDep,
    lineage: LineageDep,
    view: Annotated[SetView, Query()],
) -> Response:
    known = feature_set(name)
    symbols = features.symbols(known.id)
    if not symbols:
        return render(request, "set.html", set=known, symbols=symbols, described=None)
    chosen_symbol = view.symbol.upper() if view.symbol.upper() in symbols else symbols[0]
    described = statistics.described(chosen_symbol, known.id, view.horizon)
    names = [one.name for one in described.columns]
    chosen = view.column if view.column in names else names[0]
    return render(
        request,
        "set.html",
        set=known,
        symbols=symbols,
        described=described,
        replay=builds.replay(chosen_symbol, known.id),
        columns=sorted_columns(described.columns, view.sort),
        chosen=known.feature(chosen),
        shape=shape_plot(statistics.shapes(chosen_symbol, known.id, chosen), chosen),
        heat=heat(described, view.cluster),
        cluster=view.cluster,
        labels=statistics.labels(chosen_symbol, known.id, view.horizon),
        origin=lineage.origin(chosen_symbol, known.id),
        models=lineage.models(known.id),
    )
