"""Builds the service's parts and hands them over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.jobs.resources import Resources, open_resources
from training_service.settings import Settings
from training_service.store import Store
from training_service.use_cases import Models


@dataclass(frozen=True)
class Wired:
    resources: Resources
    models: Models


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    with open_resources(settings, package="training_service", schema="training") as resources:
        store = Store(resources.database, resources.lake, settings.home / "models")
        yield Wired(resources=resources, models=Models(store, resources.queue, threads=settings.threads))
