"""Builds over JSON: submit them, see what they found and made, and what made a stored column."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from feature_service.domain.records import BuildEntry, Definition
from feature_service.schemas.builds import CountsOut
from feature_service.schemas.features import BuildAccepted, BuildRequest
from feature_service.use_cases import Builds, Features
from shared.contracts.messages import Instant
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.service import provided

router = strict_router()

FeaturesDep = Annotated[Features, Depends(provided(Features))]
BuildsDep = Annotated[Builds, Depends(provided(Builds))]


@router.post("/features/build", status_code=202)
def submit_build(body: BuildRequest, builds: BuildsDep) -> BuildAccepted:
    """Build a set for each symbol, one job a symbol; blocks that exist are reused."""
    requests = body.each()
    return BuildAccepted.of(requests, builds.submit(requests))


@router.get("/builds")
def list_builds(features: FeaturesDep, paging: PageQuery, symbol: str | None = None) -> Page[BuildEntry]:
    """Return the build log, the newest first: months asked for, found (hits) and made (misses)."""
    wanted = symbol.upper() if symbol else None
    found, total = features.builds(symbol=wanted, limit=paging.per_page, offset=paging.offset)
    return paging.of(found, total)


@router.get("/builds/counts")
def count_builds(features: FeaturesDep, since: Instant | None = None) -> CountsOut:
    """Return hits, misses and blocks made twice over all builds, or those since a moment."""
    return CountsOut.of(features.build_counts(since))


@router.get("/sets/{name}/definitions")
def list_definitions(name: str, features: FeaturesDep) -> list[Definition]:
    """Return what made each column of a set's name or id, old ids too: version, parameters, source, when."""
    return features.definitions(name)
