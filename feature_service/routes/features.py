"""The JSON interface."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from feature_service.domain.describe import thin
from feature_service.schemas.features import CoverageOut, FeatureOut, SetOut
from feature_service.use_cases import Features
from shared.contracts.messages import Instant
from shared.web.pagination import Page, PageQuery
from shared.web.service import provided
from shared.web.tables import TableFormat, table_response

router = APIRouter()

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
    return [SetOut.of(one) for one in features.sets()]


@router.get("/coverage")
def list_coverage(
    features: FeaturesDep, paging: PageQuery, symbol: str | None = None, feature_set: str | None = None
) -> Page[CoverageOut]:
    """Return what is built, by symbol and set; `feature_set` is a set's name or id."""
    found, total = features.coverage(
        name=feature_set, symbol=symbol.upper() if symbol else None, limit=paging.per_page, offset=paging.offset
    )
    return paging.of([CoverageOut.of(one) for one in found], total)


@router.get("/features/{symbol}", response_class=Response)
def read_features(
    symbol: str,
    features: FeaturesDep,
    start: Instant | None = None,
    end: Instant | None = None,
    columns: Annotated[str, Query(description="comma-separated; all when left out")] = "",
    feature_set: str = "core",
    kind: Annotated[TableFormat, Query(alias="format")] = "json",
) -> Response:
    """Return built rows of [start, end), ascending."""
    wanted = [name.strip() for name in columns.split(",") if name.strip()]
    frame = features.read(symbol, feature_set, start=start, end=end, columns=wanted)
    return table_response(frame, kind, f"features-{symbol.upper()}")


@router.get("/features/{symbol}/chart")
def chart_feature(
    symbol: str,
    column: str,
    features: FeaturesDep,
    feature_set: str = "core",
    start: Annotated[Instant | None, Query(alias="from")] = None,
    end: Annotated[Instant | None, Query(alias="to")] = None,
) -> dict[str, Any]:
    """Return one feature for a chart, as columns of at most 2,000 spans; `from`, `to` as ISO 8601 or epoch seconds."""
    frame = features.read(symbol, feature_set, start=start, end=end, columns=[column])
    return thin(frame, column, _CHART_POINTS).to_dict(as_series=False)
