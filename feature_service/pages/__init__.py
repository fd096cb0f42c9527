"""The HTML pages, by noun."""

from fastapi import APIRouter

from feature_service.pages import features

ROUTERS: tuple[APIRouter, ...] = (features.router,)
