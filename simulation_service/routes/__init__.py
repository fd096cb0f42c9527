"""The JSON interface."""

from fastapi import APIRouter

from simulation_service.routes import runs, signals, sweeps

router = APIRouter()
for part in (sweeps.router, runs.router, signals.router):
    router.include_router(part)
