"""The HTML pages, by noun."""

from fastapi import APIRouter

from ingestion_service.pages import coverage, symbol

ROUTERS: tuple[APIRouter, ...] = (coverage.router, symbol.router)
