"""/healthz: the process runs. /readyz: what it depends on answers. /metrics: for Prometheus."""

from __future__ import annotations

import os
from typing import Annotated

import fsspec
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from shared.errors import Unavailable
from shared.settings import ServiceSettings
from shared.storage.postgres import Database
from shared.web.metrics import CONTENT_TYPE
from shared.web.parts import provided


class Health(BaseModel):
    """The process is alive; `assets` are the hashes of what it serves to browsers."""

    status: str
    service: str
    version: str
    assets: dict[str, str]


class Readiness(BaseModel):
    """Each dependency answered. `pid` tells who started the process that it is this one, not another on its port."""

    status: str
    pid: int
    checks: dict[str, str]


def health_router() -> APIRouter:
    """Routes of /healthz, /readyz and /metrics."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    def healthz(request: Request) -> Health:
        site = request.app.state.site
        hashes = {"static": site.assets.build, site.assets.vendor.name: site.assets.vendor.sha256}
        return Health(status="ok", service=site.settings.name, version=site.shell.version, assets=hashes)

    @router.get("/readyz")
    def readyz(request: Request, database: Annotated[Database, Depends(provided(Database))]) -> Readiness:
        database.check()
        check_lake(request.app.state.site.settings)
        return Readiness(status="ready", pid=os.getpid(), checks={"database": "ok", "lake": "ok"})

    @router.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        return Response(request.app.state.site.metrics.exposition(), media_type=CONTENT_TYPE)

    return router


def check_lake(settings: ServiceSettings) -> None:
    """Look at the lake's root. A root that does not exist yet is fine where it can be made: the first write does.

    Raises
    ------
    Unavailable
        The root, or for a fresh install the folder it will be made in, cannot be listed.
    """
    root = settings.lake_root
    try:
        files, path = fsspec.url_to_fs(root)
        if files.exists(path):
            files.ls(path)
        elif not settings.lake_url and not settings.home.is_dir():
            raise FileNotFoundError(f"{settings.home} does not exist")
    except (OSError, ValueError, ImportError) as error:
        raise Unavailable(f"the lake at {root} cannot be read: {error}") from error
