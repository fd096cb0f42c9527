"""The JSON interface."""

from fastapi import APIRouter

from simulation_service.routes import compare, runs, signals, stress, sweeps

router = APIRouter()
for part in (sweeps.router, runs.router, stress.router, compare.router, signals.router):
    router.include_router(part)
