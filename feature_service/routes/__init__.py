"""The JSON routes, by noun."""

from fastapi import APIRouter

from feature_service.routes import builds, features, leaks, statistics, together

ROUTERS: tuple[APIRouter, ...] = (
    builds.router,
    features.router,
    leaks.router,
    statistics.router,
    together.router,
)
