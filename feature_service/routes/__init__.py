"""The JSON routes, by noun."""

from fastapi import APIRouter

from feature_service.routes import builds, features, leaks, together

ROUTERS: tuple[APIRouter, ...] = (
    builds.router,
    features.router,
    leaks.router,
    together.router,
)
