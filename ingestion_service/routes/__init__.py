"""The JSON routes, by noun."""

from fastapi import APIRouter

from ingestion_service.routes import (
    actions,
    agents,
    bars,
    charts,
    coins,
    intake,
    monitoring,
    providers,
    quality,
    watchlist,
)

ROUTERS: tuple[APIRouter, ...] = (
    intake.router,
    providers.router,
    bars.router,
    quality.router,
    actions.router,
    agents.router,
    watchlist.router,
    monitoring.router,
    charts.router,
    coins.router,
)
