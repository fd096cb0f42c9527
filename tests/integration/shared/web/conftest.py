"""A service with a route for each kind of trouble, on a real server with a real database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from shared.clock import SystemClock
from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.jobs.queue import Queue
from shared.jobs.resources import Resources
from shared.settings import ServiceSettings
from shared.storage.postgres import Database
from shared.testing.servers import serving
from shared.web.job_transport import job_transport_router
from shared.web.pages import page_router, redirect_after_post
from shared.web.service import create_service

ERRORS = {"missing": NotFound, "clash": Conflict, "wrong": InvalidInput, "away": Unavailable, "bug": RuntimeError}


class Body(BaseModel):
    size: int


router, pages = APIRouter(), page_router()
posted: list[str] = []


@router.get("/raise/{name}")
def raise_error(name: str) -> None:
    raise ERRORS[name](f"{name}: password=hunter2")


@router.get("/both")
def both() -> dict[str, str]:
    return {"as": "json"}


@router.post("/things")
def make_thing(body: Body) -> Body:
    return body


@pages.post("/things")
def make_thing_from_form() -> object:
    posted.append("form")
    return redirect_after_post(f"/things/{len(posted)}")


@router.get("/large")
def large() -> dict[str, str]:
    return {"text": "bar" * 1_000}


@dataclass(frozen=True)
class Wired:
    resources: Resources


@pytest.fixture
def settings(database_url, data_dir) -> ServiceSettings:
    return ServiceSettings(
        name="orchestrator", database_url=database_url, home=data_dir, worker_token="worker-secret", log_level="DEBUG"
    )


@pytest.fixture
def queue(database) -> Queue:
    queue = Queue(database)
    queue.migrate()
    return queue


Build = Callable[..., FastAPI]


@pytest.fixture
def build(settings, database, lake, queue) -> Build:
    """Make the service; its parts can be exchanged: `build(queue=broken, settings=other)`."""

    def make(settings: ServiceSettings = settings, database: Database = database, queue: Queue = queue) -> FastAPI:
        @contextmanager
        def assemble() -> Iterator[Wired]:
            yield Wired(Resources(settings, database, lake, queue, SystemClock()))

        return create_service(
            settings,
            title="Test",
            assemble=assemble,
            routers=[job_transport_router(settings), pages, router],
            package="shared.web",
        )

    return make


@pytest.fixture
def app(build) -> FastAPI:
    return build()


@pytest.fixture
def http(app) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client
