"""The HTML pages, by noun."""

from fastapi import APIRouter

from ingestion_service.pages import agents, coverage, quality, symbol, watchlist

ROUTERS: tuple[APIRouter, ...] = (coverage.router, symbol.router, quality.router, agents.router, watchlist.router)
