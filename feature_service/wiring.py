"""Builds the service's parts and hands them over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from feature_service.settings import Settings
from feature_service.store import Store, Training
from feature_service.use_cases import Builds, Features, Gauges, Leaks, Lineage, Statistics, Together
from shared.jobs.resources import Resources, open_resources
from shared.storage.compiled import keep_compiled_code
from shared.web.client import ServiceClient

#: a page waits no longer for a sibling that hangs
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Wired:
    resources: Resources
    features: Features
    builds: Builds
    leaks: Leaks
    statistics: Statistics
    together: Together
    lineage: Lineage
    gauges: Gauges


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    keep_compiled_code(settings.home)
    with (
        open_resources(settings, package="feature_service", schema="features") as resources,
        ServiceClient("training", settings.training_url, seconds=_PATIENCE_SECONDS) as training,
    ):
        store = Store(resources.database, resources.lake)
        builds = Builds(store, resources.queue, settings.roles)
        features = Features(store)
        yield Wired(
            resources=resources,
            features=features,
            builds=builds,
            statistics=Statistics(store, features),
            leaks=Leaks(store, settings.roles),
            together=Together(features),
            lineage=Lineage(store, Training(training)),
            gauges=Gauges(store),
        )
