"""The web process: `python -m simulation_service.app`."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from shared.storage.compiled import compile_ahead
from shared.web.run import run
from shared.web.service import create_service
from simulation_service import pages, routes
from simulation_service.settings import Settings
from simulation_service.wiring import assemble


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    return create_service(
        settings,
        title="Simulation",
        assemble=partial(assemble, settings),
        routers=[pages.router, routes.router],
        package="simulation_service",
    )


if __name__ == "__main__":
    own = Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    # else the first run that somebody waits for takes ten seconds more
    compile_ahead(own.home, "simulation_service.domain.ahead")
    run("simulation_service.app:create_app", own)
