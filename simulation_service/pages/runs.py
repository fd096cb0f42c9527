"""The page of runs, with the simulate form."""

from __future__ import annotations

from fastapi import Request, Response

from shared.contracts.backtests import Signal
from shared.errors import InvalidInput, NotFound
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageNumbers, PageQuery
from simulation_service.deps import AskedQuery, RunsAsked, RunsDep, SweepsDep
from simulation_service.schemas import SimulateForm, run_filter
from simulation_service.use_cases import Runs

router = page_router()


@router.get("/")
@router.get("/runs")
def runs_page(request: Request, runs: RunsDep, paging: PageQuery, asked: AskedQuery) -> Response:
    return _runs(request, runs, paging, asked)


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
    return _runs(request, runs, paging, RunsAsked(), form=form, status=422)


def _runs(
    request: Request,
    runs: Runs,
    paging: PageNumbers,
    asked: RunsAsked,
    *,
    status: int = 200,
    form: Form[SimulateForm] | None = None,
) -> Response:
    page = paging.of(*runs.page(run_filter(paging, **dict(asked))))
    return render(request, "runs.html", status=status, page=page, form=form, signals=[one.value for one in Signal])
