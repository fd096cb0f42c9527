"""The job handlers."""

from __future__ import annotations

from shared.contracts.messages import Sweep
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome
from simulation_service.use_cases import Sweeps


def simulate_sweep(sweeps: Sweeps, ctx: JobContext) -> Outcome:
    sweep = Sweep.model_validate(dict(ctx.payload))
    return Outcome(result=sweeps.simulate(sweep, ctx, ctx.still_mine))
