"""The pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import ValidationError

from orchestrator_service.pages.pictures import lineage_drawing, luck_plot, luck_summary
from orchestrator_service.schemas import EvolveForm
from orchestrator_service.use_cases import Runs
from shared.contracts.messages import Fingerprint
from shared.errors import Conflict, InvalidInput, NotFound
from shared.jobs.queue import Queue
from shared.web.forms import Form, SubmittedForm, check_form, with_error, with_errors
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageNumbers, PageQuery
from shared.web.parts import provided

router = page_router()

RunsDep = Annotated[Runs, Depends(provided(Runs))]
QueueDep = Annotated[Queue, Depends(provided(Queue))]


class Home:
    """What the first page needs, also when it is shown again with a form that was not right."""

    def __init__(self, request: Request, runs: RunsDep, queue: QueueDep) -> None:
        self._request, self._runs, self._queue = request, runs, queue

    def render(self, form: Form[EvolveForm] | None = None) -> Response:
        paging = PageNumbers(per_page=10)
        found, total = self._runs.page(limit=paging.per_page)
        jobs, _ = self._queue.jobs(per_page=12)
        return render(
            self._request,
            "home.html",
            status=200 if form is None else 422,
            queues=self._queue.activity(),
            jobs=jobs,
            workers=self._queue.workers(),
            page=paging.of(found, total),
            form=form,
            defaults=EvolveForm.model_construct(symbols=()),
        )


HomeDep = Annotated[Home, Depends()]


@router.get("/")
def home_page(home: HomeDep) -> Response:
    return home.render()


@router.post("/evolve")
def start_from_form(submitted: SubmittedForm, home: HomeDep, runs: RunsDep) -> Response:
    form = check_form(EvolveForm, submitted)
    if form.data is None:
        return home.render(form)
    try:
        request = form.data.request()
        views, _ = runs.start(request.plan(), request.symbols)
    except ValidationError as error:
        return home.render(with_errors(form, error))
    except (Conflict, InvalidInput, NotFound) as error:
        return home.render(with_error(form, "symbols", str(error)))
    return redirect_after_post(f"/runs/{views[0].run.id}" if len(views) == 1 else "/runs")


@router.get("/runs")
def runs_page(request: Request, runs: RunsDep, paging: PageQuery, symbol: str = "", state: str = "") -> Response:
    found = runs.page(symbol=symbol.upper() or None, state=state or None, limit=paging.per_page, offset=paging.offset)
    return render(request, "runs.html", page=paging.of(*found))


@router.get("/runs/{run_id}")
def run_page(request: Request, run_id: str, runs: RunsDep) -> Response:
    view = runs.show(run_id)
    best = view.run.evidence.best if view.run.evidence else None
    return render(
        request,
        "run.html",
        view=view,
        luck=luck_plot(best) if best else None,
        luck_summary=luck_summary(best, view.funnel.trials) if best else "",
        drawing=lineage_drawing(view.models),
        promotions=runs.promoted(run=run_id, limit=100)[0],
    )


@router.post("/runs/{run_id}/cancel")
def cancel_from_page(run_id: str, runs: RunsDep) -> Response:
    runs.cancel(run_id)
    return redirect_after_post(f"/runs/{run_id}")


@router.get("/promoted")
def promoted_page(request: Request, runs: RunsDep, paging: PageQuery) -> Response:
    found = runs.promoted(limit=paging.per_page, offset=paging.offset)
    return render(request, "promoted.html", page=paging.of(*found))


@router.get("/lineage/{fingerprint}")
def lineage_page(request: Request, fingerprint: Fingerprint, runs: RunsDep) -> Response:
    lineage = runs.lineage(fingerprint)
    return render(request, "lineage.html", lineage=lineage, drawing=lineage_drawing(lineage.models))
