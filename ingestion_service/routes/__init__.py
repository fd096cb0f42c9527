"""The JSON routes, by noun."""

from fastapi import APIRouter

from ingestion_service.routes import bars, intake

ROUTERS: tuple[APIRouter, ...] = (intake.router, bars.router)
