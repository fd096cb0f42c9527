"""Builds the service's parts and hands them over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from optimization_service.settings import Settings
from optimization_service.store import Models, Registry, Series
from optimization_service.use_cases import Batches, Leaderboard, Rounds, Studies
from shared.jobs.resources import Resources, open_resources
from shared.web.client import ServiceClient


@dataclass(frozen=True)
class Wired:
    resources: Resources
    batches: Batches
    rounds: Rounds
    leaderboard: Leaderboard
    studies: Studies


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    with (
        open_resources(settings, package="optimization_service", schema="optimization") as resources,
        ServiceClient("training", settings.training_url) as training,
    ):
        registry, series = Registry(resources.database), Series(resources.lake)
        yield Wired(
            resources=resources,
            batches=Batches(registry, series, Models(training), resources.queue),
            rounds=Rounds(registry, series, resources.queue),
            leaderboard=Leaderboard(registry),
            studies=Studies(registry, series),
        )
