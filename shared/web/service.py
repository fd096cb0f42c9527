"""The factory of every service's web process.

    def create_app(settings: Settings | None = None) -> FastAPI:
        settings = settings or Settings()
        return create_service(
            settings, title="Training", assemble=partial(assemble, settings),
            routers=[pages.router, routes.router], package="training_service",
        )

Nothing is opened at import or by `create_service`; the lifespan enters `assemble()` and leaves it at the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from jinja2 import Environment
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from shared.clock import Clock, SystemClock
from shared.jobs.queue import Queue
from shared.jobs.rescuer import rescuing
from shared.settings import ServiceSettings
from shared.web import job_pages, job_views
from shared.web.assets import Assets, asset_router
from shared.web.errors import install_errors
from shared.web.events import routes as events
from shared.web.events.hub import EventHub
from shared.web.events.sighting import look
from shared.web.health import health_router
from shared.web.metrics import Metrics
from shared.web.middleware import BodyLimit, CrossSite, Edge, HostGuard
from shared.web.once import Once
from shared.web.parts import parts_by_type, provided
from shared.web.shell import Shell
from shared.web.siblings import Siblings, siblings_router
from shared.web.templating import template_environment

__all__ = ["create_service", "provided"]

#: Numbers as a program reads them: packed already, or wanted fast.
BINARY_TABLES = tuple(f"application/vnd.apache.{kind}" for kind in ("parquet", "arrow.file", "arrow.stream"))


@dataclass(frozen=True)
class Site:
    """What the web process itself holds, apart from the service's own parts; at `app.state.site`."""

    settings: ServiceSettings
    environment: Environment
    shell: Shell
    assets: Assets
    metrics: Metrics
    clock: Clock
    once: Once


def create_service(
    settings: ServiceSettings,
    *,
    title: str,
    assemble: Callable[[], AbstractContextManager[Any]],
    routers: Sequence[APIRouter],
    package: str,
    clock: Clock | None = None,
) -> FastAPI:
    """Make a FastAPI application with everything the services share around the given routers.

    Parameters
    ----------
    settings
        The service's settings; `settings.name` is its place in the service switch.
    title
        What the service is called on its pages.
    assemble
        Entered when the service starts; yields the service's frozen dataclass of parts, which must have a field
        `resources`. Every field, and every field of `resources`, can be asked for by its type: see `provided`.
    routers
        Page routers first, then JSON routers.
    package
        The service's package: its `templates/` folder is found there.

    Raises
    ------
    AssetProblem
        A file the pages need is missing or changed.
    """
    clock = clock or SystemClock()
    assets = Assets.load()
    site = Site(
        settings=settings,
        environment=template_environment(package, clock),
        shell=Shell.of(settings, title, assets),
        assets=assets,
        metrics=Metrics(),
        clock=clock,
        once=Once(),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        # every web process also takes back the jobs of workers that died
        with assemble() as wired, rescuing(wired.resources.queue):
            queue: Queue = wired.resources.queue
            hub = EventHub(partial(look, queue), clock)
            site.metrics.watch_queue(queue.counts)
            site.metrics.watch_parts(vars(wired).values())
            try:
                yield {"parts": parts_by_type(wired), "hub": hub}
            finally:
                hub.close()

    app = FastAPI(
        title=title,
        lifespan=lifespan,
        # The interactive documentation loads scripts from elsewhere, which the content policy forbids.
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(Edge, metrics=site.metrics, clock=clock),
            Middleware(HostGuard, allowed_hosts=settings.allowed_hosts),
            Middleware(CrossSite),
            Middleware(BodyLimit),
            # packing bars took longer than making them: level 1 is a quarter larger than 5, in less than half the time
            Middleware(
                GZipMiddleware,
                minimum_size=1024,
                compresslevel=1,
                exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, *BINARY_TABLES),
            ),
        ],
    )
    app.state.site = site
    install_errors(app)
    shared_routers = (
        asset_router(assets),
        health_router(),
        siblings_router(Siblings(settings, clock)),
        events.router,
        job_pages.router,
        job_views.router,
    )
    for router in (*shared_routers, *routers):
        app.include_router(router)
    return app
