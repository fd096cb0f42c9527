"""Builds the service's parts and hands them over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from optimization_service.settings import Settings
from optimization_service.store import Models, Store
from optimization_service.use_cases import Batches, Leaderboard
from shared.jobs.resources import Resources, open_resources
from shared.web.client import ServiceClient


@dataclass(frozen=True)
class Wired:
    resources: Resources
    batches: Batches
    leaderboard: Leaderboard


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    with (
        open_resources(settings, package="optimization_service", schema="optimization") as resources,
        ServiceClient("training", settings.training_url) as training,
    ):
        store = Store(resources.database, resources.lake)
        yield Wired(
            resources=resources,
            batches=Batches(store, Models(training), resources.queue),
            leaderboard=Leaderboard(store),
        )
