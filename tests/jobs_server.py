"""A service that offers the job transport: `python jobs_server.py <port>`, for tests of workers without a database."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from jobs_support import QUICK

from shared.clock import SystemClock
from shared.jobs.queue import Queue
from shared.jobs.rescuer import rescuing
from shared.jobs.resources import Resources
from shared.settings import ServiceSettings
from shared.storage.lake import Lake
from shared.storage.postgres import Database
from shared.web.job_transport import job_transport_router
from shared.web.service import create_service


@dataclass(frozen=True)
class Wired:
    resources: Resources


@contextmanager
def assemble(settings: ServiceSettings) -> Iterator[Wired]:
    database = Database(settings.database_url.get_secret_value(), application_name="jobs-server")
    queue = Queue(database, QUICK)
    clock = SystemClock()
    with rescuing(queue):
        yield Wired(Resources(settings, database, Lake(database, settings.lake_root, clock), queue, clock))
    database.close()


if __name__ == "__main__":
    settings = ServiceSettings(name="orchestrator")
    app = create_service(
        settings,
        title="Jobs",
        assemble=lambda: assemble(settings),
        routers=[job_transport_router(settings)],
        package="shared.web",
    )
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
