"""The JSON routes, by noun."""

from fastapi import APIRouter

from ingestion_service.routes import agents, bars, intake, monitoring, providers, watchlist

ROUTERS: tuple[APIRouter, ...] = (
    intake.router,
    providers.router,
    bars.router,
    agents.router,
    watchlist.router,
    monitoring.router,
)
