"""The JSON routes, by noun."""

from fastapi import APIRouter

from feature_service.routes import builds, features

ROUTERS: tuple[APIRouter, ...] = (
    builds.router,
    features.router,
)
