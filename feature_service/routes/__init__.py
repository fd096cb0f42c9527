"""The JSON routes, by noun."""

from fastapi import APIRouter

from feature_service.routes import features

ROUTERS: tuple[APIRouter, ...] = (features.router,)
