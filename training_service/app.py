"""The web process: `python -m training_service.app`."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from shared.web.run import run
from shared.web.service import create_service
from training_service import pages, routes
from training_service.settings import Settings
from training_service.wiring import assemble


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    return create_service(
        settings,
        title="Training",
        assemble=partial(assemble, settings),
        routers=[pages.router, routes.router],
        package="training_service",
    )


if __name__ == "__main__":
    run("training_service.app:create_app", Settings())  # pyright: ignore[reportCallIssue] - read from the environment
