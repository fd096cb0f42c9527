"""The web process: `python -m feature_service.app`."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from feature_service import pages, routes
from feature_service.settings import Settings
from feature_service.wiring import assemble
from shared.web.run import run
from shared.web.service import create_service


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    return create_service(
        settings,
        title="Features",
        assemble=partial(assemble, settings),
        routers=[*pages.ROUTERS, *routes.ROUTERS],
        package="feature_service",
    )


if __name__ == "__main__":
    run("feature_service.app:create_app", Settings())  # pyright: ignore[reportCallIssue] - read from the environment
