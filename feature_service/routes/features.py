"""The JSON interface."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Response

from feature_service.domain.describe import thin
from feature_service.domain.records import Coverage
from feature_service.schemas.asking import ChartAsked, RowsAsked, header
from feature_service.schemas.features import FeatureOut, SetOut
from feature_service.use_cases import Features
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.service import provided
from shared.web.tables import table_response

router = strict_router()

#: points a chart is sent: more than a screen is wide
_CHART_POINTS = 2_000

FeaturesDep = Annotated[Features, Depends(provided(Features))]


@router.get("/catalogue")
def list_features(features: FeaturesDep) -> list[FeatureOut]:
    """Return the declaration of every feature, with its documentation."""
    return [FeatureOut.of(one) for one in features.catalogue()]


@router.get("/sets")
def list_sets(features: FeaturesDep) -> list[SetOut]:
    """Return the feature sets this version makes."""
    built = features.built_sets()
    return [SetOut.of(one, built) for one in features.sets()]


@router.get("/coverage")
def list_coverage(
    features: FeaturesDep, paging: PageQuery, symbol: str | None = None, feature_set: str | None = None
) -> Page[Coverage]:
    """Return what is built, by symbol and set; `feature_set` is a set's name or id."""
    found, total = features.coverage(
        name=feature_set, symbol=symbol.upper() if symbol else None, limit=paging.per_page, offset=paging.offset
    )
    return paging.of(found, total)


@router.get("/sets/{name}")
def show_set(name: str, features: FeaturesDep) -> SetOut:
    """Return one feature set by its name or present id."""
    return SetOut.of(features.set(name), features.built_sets())


@router.get("/features/{symbol}", response_class=Response)
def read_features(symbol: str, features: FeaturesDep, asked: Annotated[RowsAsked, Query()]) -> Response:
    """Return built rows of [start, end), ascending; the header X-Feature-Set says of which set they are."""
    wanted = features.pinned(symbol, asked.wanted)
    return table_response(features.read(symbol, wanted), asked.format, f"features-{symbol.upper()}", header(wanted))


@router.get("/features/{symbol}/chart")
def chart_feature(symbol: str, features: FeaturesDep, asked: Annotated[ChartAsked, Query()]) -> dict[str, Any]:
    """Return one feature for a chart, as columns of at most 2,000 spans."""
    return thin(features.read(symbol, asked.wanted), asked.column, _CHART_POINTS).to_dict(as_series=False)
