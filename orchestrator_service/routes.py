"""The JSON interface."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response

from orchestrator_service.domain.records import RunState
from orchestrator_service.schemas import (
    EvolveAnswer,
    EvolveRequest,
    LineageOut,
    ModelOut,
    PromotionOut,
    RunOut,
    RunSummary,
)
from orchestrator_service.use_cases import Runs
from shared.contracts.messages import Fingerprint
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.service import provided

router = strict_router()

RunsDep = Annotated[Runs, Depends(provided(Runs))]


@router.post("/evolve", status_code=202)
def start_search(body: EvolveRequest, runs: RunsDep, response: Response) -> EvolveAnswer:
    """Start one run for each symbol: 202 when any is new, 200 when all were there already."""
    views, new = runs.start(body.plan(), body.symbols, body.key)
    response.status_code = 202 if new else 200
    return EvolveAnswer.of(body.key, views)


@router.get("/runs")
def list_runs(
    runs: RunsDep, paging: PageQuery, state: RunState | None = None, symbol: str | None = None
) -> Page[RunSummary]:
    """List runs, newest first."""
    found, total = runs.page(state=state, symbol=symbol and symbol.upper(), limit=paging.per_page, offset=paging.offset)
    return paging.of([RunSummary.of(view) for view in found], total)


@router.get("/runs/{run_id}")
def show_run(run_id: str, runs: RunsDep) -> RunOut:
    """Show one run: progress, funnel, verdict, models."""
    return RunOut.of(runs.show(run_id))


@router.post("/runs/{run_id}/cancel")
def cancel_run(run_id: str, runs: RunsDep) -> RunOut:
    """Call a run off."""
    return RunOut.of(runs.cancel(run_id))


@router.get("/promoted")
def list_promoted(runs: RunsDep, paging: PageQuery, run: str | None = None) -> Page[PromotionOut]:
    """List what the holdout confirmed, newest first, each with its record."""
    found, total = runs.promoted(run=run, limit=paging.per_page, offset=paging.offset)
    return paging.of([PromotionOut.of(promotion) for promotion in found], total)


@router.get("/lineage/{fingerprint}")
def show_lineage(fingerprint: Fingerprint, runs: RunsDep) -> LineageOut:
    """Show a model with its ancestors and descendants."""
    lineage = runs.lineage(fingerprint)
    return LineageOut(
        focus=lineage.focus,
        ancestors=lineage.ancestors(),
        descendants=lineage.descendants(),
        edges=lineage.edges,
        models=[ModelOut.of(model) for model in lineage.models],
    )
