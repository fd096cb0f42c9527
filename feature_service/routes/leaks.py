"""Leak checks over REST."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, Depends, Query

from feature_service.schemas.leaks import ReportOut, table_of
from feature_service.use_cases import Leaks
from shared.web.known import strict_router
from shared.web.service import provided

router = strict_router()

LeaksDep = Annotated[Leaks, Depends(provided(Leaks))]


@router.post("/leak-check")
def check_column(
    leaks: LeaksDep,
    symbol: Annotated[str, Query(description="whose bars the column belongs to")],
    body: Annotated[bytes, Body(media_type="text/csv", description="CSV or Parquet: ts, value and, if known, earlier")],
) -> ReportOut:
    """Look for the future in a column: `ts` (bar starts, UTC), `value`, optionally `earlier` (an older vintage)."""
    return ReportOut.of(leaks.of_column(symbol, table_of(body)))


@router.post("/leak-check/{feature}")
def check_feature(feature: str, leaks: LeaksDep, symbol: str) -> ReportOut:
    """Run a feature of the catalogue again on prefixes and changed futures of the symbol's latest bars."""
    return ReportOut.of(leaks.of_feature(feature, symbol))
