"""Sweeps over JSON."""

from __future__ import annotations

from fastapi import Response

from shared.contracts.messages import Sweep
from shared.web.accepted import Accepted, accepted
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from simulation_service.deps import SweepsDep
from simulation_service.schemas import Batch, BatchAccepted, RunDetailOut, Simulation, SweepOut, SweepSummary
from simulation_service.schemas.sweeps import SubmittedSweep

router = strict_router()


@router.post("/simulate", status_code=202)
def simulate(body: Simulation, sweeps: SweepsDep, response: Response) -> Accepted | RunDetailOut:
    """Simulate one `setting` and answer with the run (200) when that is short; else, and for `settings`, with a job."""
    if not sweeps.is_short(body):
        return accepted(sweeps.submit(body))
    found = sweeps.simulate_now(body)
    response.status_code = 200
    return RunDetailOut.with_sweep(found.runs[0], found.record)


@router.post("/sweeps", status_code=202)
def submit_sweep(body: Sweep, sweeps: SweepsDep) -> Accepted:
    """Simulate a model's predictions, or a user's signals, under each setting; the job's result names the sweep."""
    return accepted(sweeps.submit(body))


@router.post("/sweeps/all-models", status_code=202)
def submit_batch(body: Batch, sweeps: SweepsDep) -> BatchAccepted:
    """Simulate every model that has predictions of the symbol in the window; one job a model."""
    models = sweeps.models_of(body.symbol, body.window)
    ids = sweeps.submit_all([body.sweep(model) for model in models])
    jobs = [SubmittedSweep(model=model, **dict(accepted(job))) for model, job in zip(models, ids, strict=True)]
    return BatchAccepted(jobs=jobs)


@router.get("/sweeps")
def list_sweeps(
    sweeps: SweepsDep, paging: PageQuery, symbol: str | None = None, model: str | None = None
) -> Page[SweepSummary]:
    """List sweeps, newest first."""
    found, total = sweeps.page(
        symbol=symbol.upper() if symbol else None, model=model, limit=paging.per_page, offset=paging.offset
    )
    return paging.of([SweepSummary.of(record) for record in found], total)


@router.get("/sweeps/{fingerprint}")
def show_sweep(fingerprint: str, sweeps: SweepsDep) -> SweepOut:
    """Return one sweep with all its runs."""
    view = sweeps.view(fingerprint)
    return SweepOut.of(view.record, view.runs)
