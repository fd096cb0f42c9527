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
from simulation_service.use_cases import Runs, Sweeps

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
            return redirect_after_post(_submitted(sweeps, form.data))
        except (InvalidInput, NotFound) as error:
            form = with_error(form, "form", str(error))
    return _runs(request, runs, paging, RunsAsked(), form=form, status=422)


def _submitted(sweeps: Sweeps, asked: SimulateForm) -> str:
    """Enqueue what was asked and return where it is seen: its job, or the sweeps of all models."""
    if asked.model is not None:
        return f"/jobs/{sweeps.submit(asked.sweep(asked.model))}"
    models = sweeps.models_of(asked.symbol, asked.window)
    ids = sweeps.submit_all([asked.sweep(model) for model in models])
    return f"/jobs/{ids[0]}" if len(ids) == 1 else f"/sweeps?symbol={asked.symbol}"


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
    return render(
        request,
        "runs.html",
        status=status,
        page=page,
        form=form,
        signals=[one.value for one in Signal],
        csv="/runs.csv?" + asked.address,
    )
