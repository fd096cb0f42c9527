"""The pages: runs and the simulate form, one run, one sweep."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from shared.errors import BarsmithError, Conflict, InvalidInput, NotFound
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageNumbers, PageQuery
from shared.web.service import provided
from simulation_service.schemas import SimulateForm, run_filter
from simulation_service.use_cases import RunDetail, Runs, Sweeps
from simulation_service.views import heatmap, hold_text

router = page_router()

SweepsDep = Annotated[Sweeps, Depends(provided(Sweeps))]
RunsDep = Annotated[Runs, Depends(provided(Runs))]


@router.get("/")
@router.get("/runs")
def runs_page(
    request: Request, runs: RunsDep, paging: PageQuery, sort: str = "-created_at", symbol: str = "", model: str = ""
) -> Response:
    return _runs(request, runs, paging, sort=sort, symbol=symbol, model=model)


@router.post("/simulate")
def submit_form(
    request: Request, runs: RunsDep, sweeps: SweepsDep, submitted: SubmittedForm, paging: PageQuery
) -> Response:
    form = check_form(SimulateForm, submitted)
    if form.data is not None:
        try:
            return redirect_after_post(f"/jobs/{sweeps.submit(form.data.sweep())}")
        except (InvalidInput, NotFound) as error:
            form = with_error(form, "form", str(error))
    return _runs(request, runs, paging, form=form, status=422)


@router.get("/runs/{run_id}")
def run_page(request: Request, runs: RunsDep, run_id: str, paging: PageQuery) -> Response:
    run, sweep = runs.with_sweep(run_id)
    detail, problem = _detail(runs, run_id)
    trades = [] if detail is None else detail.trades.slice(paging.offset, paging.per_page).to_dicts()
    total = 0 if detail is None else detail.trades.height
    return render(
        request,
        "run.html",
        run=run,
        sweep=sweep,
        hold=hold_text(run.setting.hold_bars),
        problem=problem,
        trades=paging.of(trades, total),
    )


@router.get("/sweeps")
def sweeps_page(request: Request, sweeps: SweepsDep, paging: PageQuery, symbol: str = "") -> Response:
    found, total = sweeps.page(symbol=symbol.upper() or None, limit=paging.per_page, offset=paging.offset)
    return render(request, "sweeps.html", page=paging.of(found, total))


@router.get("/sweeps/{fingerprint}")
def sweep_page(
    request: Request, sweeps: SweepsDep, runs: RunsDep, fingerprint: str, paging: PageQuery, sort: str = "-sharpe"
) -> Response:
    view = sweeps.view(fingerprint)
    page = paging.of(*runs.page(run_filter(paging, sort, sweep=fingerprint)))
    return render(request, "sweep.html", sweep=view.record, page=page, heat=heatmap(view.runs), hold_text=hold_text)


def _detail(runs: Runs, run_id: str) -> tuple[RunDetail | None, str]:
    """Return a run's detail, or why it cannot be shown: its stored figures stand all the same."""
    try:
        return runs.detail(run_id), ""
    except (Conflict, NotFound) as error:
        return None, _sentence(error)


def _sentence(error: BarsmithError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def _runs(
    request: Request,
    runs: Runs,
    paging: PageNumbers,
    *,
    sort: str = "-created_at",
    symbol: str = "",
    model: str = "",
    status: int = 200,
    form: Form[SimulateForm] | None = None,
) -> Response:
    page = paging.of(*runs.page(run_filter(paging, sort, symbol=symbol, model=model)))
    return render(request, "runs.html", status=status, page=page, hold_text=hold_text, form=form)
