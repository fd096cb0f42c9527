"""One run: its page, its tear sheet, its stress test."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.errors import BarsmithError, Conflict, NotFound
from shared.web.forms import SubmittedForm, check_form
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from simulation_service.deps import RunsDep, StressDep, SweepsDep
from simulation_service.domain.reach import remark
from simulation_service.schemas import StressAsked
from simulation_service.use_cases import Runs
from simulation_service.use_cases.runs import RunDetail
from simulation_service.views import heatmap, hold_text, month_grid, regime_rows, tearsheet

#: the stress test whose progress the page shows
JobQuery = Annotated[int | None, Query(ge=1, lt=2**63)]

router = APIRouter()
pages = page_router()


@pages.get("/runs/{run_id}")
def run_page(
    request: Request,
    runs: RunsDep,
    sweeps: SweepsDep,
    stress: StressDep,
    run_id: str,
    paging: PageQuery,
    job: JobQuery = None,
) -> Response:
    run, sweep = runs.with_sweep(run_id)
    detail, problem = _detail(runs, run_id)
    trades = [] if detail is None else detail.trades.slice(paging.offset, paging.per_page).to_dicts()
    siblings = sweeps.view(run.sweep).runs
    return render(
        request,
        "run.html",
        run=run,
        sweep=sweep,
        hold=hold_text(run.setting.hold_bars),
        problem=problem,
        note=remark([run.setting], sweep.signals),
        trades=paging.of(trades, 0 if detail is None else detail.trades.height),
        months=None if detail is None else month_grid(runs.months(detail)),
        regimes=[] if detail is None else regime_rows(runs.regimes(detail)),
        heat=heatmap(siblings) if len(siblings) > 1 else None,
        stress=stress.report_if_any(run_id),
        job=stress.job(run_id, job),
    )


@pages.post("/runs/{run_id}/stress")
def stress_form(run_id: str, stress: StressDep, submitted: SubmittedForm) -> Response:
    asked = check_form(StressAsked, submitted).data or StressAsked()
    job = stress.submit(run_id, draws=asked.draws, seed=asked.seed)
    return redirect_after_post(f"/runs/{run_id}?job={job}#stress")


@router.get("/runs/{run_id}/tearsheet", response_class=Response)
def run_tearsheet(request: Request, runs: RunsDep, stress: StressDep, run_id: str) -> Response:
    """Return the run on one page of HTML that refers to nothing outside itself: to be printed or sent."""
    detail = runs.detail(run_id)
    found = stress.report_if_any(run_id)
    shown = tearsheet(detail, runs.months(detail), runs.regimes(detail), found and found.report)
    name = f"tearsheet-{detail.run.symbol}-{detail.run.sweep[:10]}-{detail.run.index}.html"
    return render(request, "tearsheet.html", headers={"Content-Disposition": f'inline; filename="{name}"'}, **shown)


def _detail(runs: Runs, run_id: str) -> tuple[RunDetail | None, str]:
    """Return a run's detail, or why it cannot be shown: its stored figures stand all the same."""
    try:
        return runs.detail(run_id), ""
    except (Conflict, NotFound) as error:
        return None, _sentence(error)


def _sentence(error: BarsmithError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


router.include_router(pages)
