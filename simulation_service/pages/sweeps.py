"""The pages of sweeps."""

from __future__ import annotations

from fastapi import Request, Response

from shared.contracts.backtests import Metrics
from shared.web.pages import page_router, render
from shared.web.pagination import PageQuery
from simulation_service.deps import AskedAxes, RunsDep, SweepsDep
from simulation_service.domain.reach import remark
from simulation_service.schemas import run_filter
from simulation_service.views import heatmap

router = page_router()


@router.get("/sweeps")
def sweeps_page(request: Request, sweeps: SweepsDep, paging: PageQuery, symbol: str = "") -> Response:
    found, total = sweeps.page(symbol=symbol.upper() or None, limit=paging.per_page, offset=paging.offset)
    return render(request, "sweeps.html", page=paging.of(found, total))


@router.get("/sweeps/{fingerprint}")
def sweep_page(
    request: Request,
    sweeps: SweepsDep,
    runs: RunsDep,
    fingerprint: str,
    paging: PageQuery,
    axes: AskedAxes,
    sort: str = "-sharpe",
) -> Response:
    view = sweeps.view(fingerprint)
    page = paging.of(*runs.page(run_filter(paging, sort, sweep=fingerprint)))
    note = remark([run.setting for run in view.runs], view.record.signals)
    figures = list(Metrics.model_fields)
    heat = heatmap(view.runs, **dict(axes))
    return render(request, "sweep.html", sweep=view.record, page=page, heat=heat, figures=figures, note=note)
