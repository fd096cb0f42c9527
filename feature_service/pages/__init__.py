"""The HTML pages, by noun."""

from fastapi import APIRouter

from feature_service.pages import features, regimes, sets

ROUTERS: tuple[APIRouter, ...] = (features.router, sets.router, regimes.router)
