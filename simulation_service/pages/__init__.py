"""The pages."""

from fastapi import APIRouter

from simulation_service.pages import runs

router = APIRouter()
for part in (runs.router,):
    router.include_router(part)
