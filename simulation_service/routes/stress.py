"""Stress tests over JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from shared.web.accepted import Accepted, accepted
from shared.web.service import provided
from simulation_service.domain.records import StressRecord
from simulation_service.use_cases import Stress

router = APIRouter()

StressDep = Annotated[Stress, Depends(provided(Stress))]


class StressAsked(BaseModel):
    """How many placebos to draw, and from which seed."""

    draws: int = Field(default=1_000, ge=10, le=20_000)
    seed: int = Field(default=7, ge=0, lt=2**31)


@router.post("/runs/{run_id}/stress", status_code=202)
def submit_stress(run_id: str, stress: StressDep, body: StressAsked | None = None) -> Accepted:
    """Simulate the run again with costs x 2, fills 1 to 5 bars later, thresholds +-10 %, and at random times."""
    asked = body or StressAsked()
    return accepted(stress.submit(run_id, draws=asked.draws, seed=asked.seed))


@router.get("/runs/{run_id}/stress")
def show_stress(run_id: str, stress: StressDep) -> StressRecord:
    """Return the run's newest stress report."""
    return stress.report(run_id)
