"""Stress tests over JSON."""

from __future__ import annotations

from shared.web.accepted import Accepted, accepted
from shared.web.known import strict_router
from simulation_service.deps import StressDep
from simulation_service.domain.records import StressRecord
from simulation_service.schemas import StressAsked

router = strict_router()


@router.post("/runs/{run_id}/stress", status_code=202)
def submit_stress(run_id: str, stress: StressDep, body: StressAsked | None = None) -> Accepted:
    """Simulate the run again with costs x 2, fills 1 to 5 bars later, thresholds +-10 %, and at random times."""
    asked = body or StressAsked()
    return accepted(stress.submit(run_id, draws=asked.draws, seed=asked.seed))


@router.get("/runs/{run_id}/stress")
def show_stress(run_id: str, stress: StressDep) -> StressRecord:
    """Return the run's newest stress report."""
    return stress.report(run_id)
