"""The pages."""

from fastapi import APIRouter

from simulation_service.pages import compare, run, runs, signals, sweeps

router = APIRouter()
for part in (runs.router, run.router, sweeps.router, compare.router, signals.router):
    router.include_router(part)
