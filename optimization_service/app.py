"""The web process: `python -m optimization_service.app`."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from optimization_service import pages, routes
from optimization_service.settings import Settings
from optimization_service.wiring import assemble
from shared.web.job_transport import job_transport_router
from shared.web.run import run
from shared.web.service import create_service


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    return create_service(
        settings,
        title="Optimization",
        assemble=partial(assemble, settings),
        routers=[job_transport_router(settings), pages.router, routes.router, routes.leaderboard_router],
        package="optimization_service",
    )


if __name__ == "__main__":
    run("optimization_service.app:create_app", Settings())  # pyright: ignore[reportCallIssue] - read from the environment
