"""Builds the service's parts and hands them over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestrator_service.settings import Settings
from orchestrator_service.store import Registry, Series, Siblings
from orchestrator_service.use_cases import Confirmation, Evolution, Runs
from shared.jobs.resources import Resources, open_resources


@dataclass(frozen=True)
class Wired:
    resources: Resources
    runs: Runs
    evolution: Evolution
    confirmation: Confirmation


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    urls = settings.service_urls
    with (
        open_resources(settings, package="orchestrator_service", schema="orchestrator") as resources,
        Siblings(features=urls["features"], training=urls["training"], simulation=urls["simulation"]) as siblings,
    ):
        registry, series = Registry(resources.database), Series(resources.lake)
        confirmation = Confirmation(registry, siblings, series, resources.queue)
        yield Wired(
            resources=resources,
            runs=Runs(registry, siblings, series, resources.queue),
            evolution=Evolution(registry, siblings, series, resources.queue, confirmation),
            confirmation=confirmation,
        )
