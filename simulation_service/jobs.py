"""The job handlers."""

from __future__ import annotations

from pydantic import BaseModel

from shared.contracts.messages import Sweep
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome
from simulation_service.use_cases import Stress, Sweeps


class _Asked(BaseModel):
    run: str
    draws: int
    seed: int


def simulate_sweep(sweeps: Sweeps, ctx: JobContext) -> Outcome:
    sweep = Sweep.model_validate(dict(ctx.payload))
    return Outcome(result=sweeps.simulate(sweep, ctx, ctx.still_mine))


def stress_run(stress: Stress, ctx: JobContext) -> Outcome:
    asked = _Asked.model_validate(dict(ctx.payload))
    result = stress.run(asked.run, draws=asked.draws, seed=asked.seed, progress=ctx, still_mine=ctx.still_mine)
    return Outcome(result=result)
