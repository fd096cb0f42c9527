"""Builds the service's parts and hands them over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.jobs.resources import Resources, open_resources
from shared.storage.compiled import keep_compiled_code
from simulation_service.settings import Settings
from simulation_service.store import Registry, Series
from simulation_service.use_cases import Compare, Markets, Runs, SignalSeries, Stress, Sweeps


@dataclass(frozen=True)
class Wired:
    resources: Resources
    sweeps: Sweeps
    runs: Runs
    signals: SignalSeries
    stress: Stress
    compare: Compare


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    keep_compiled_code(settings.home)
    with open_resources(settings, package="simulation_service", schema="simulation") as resources:
        series, registry = Series(resources.lake), Registry(resources.database)
        markets = Markets(series, registry)
        sweeps = Sweeps(series, registry, markets, resources.queue, threads=settings.threads)
        runs = Runs(series, registry, markets)
        yield Wired(
            resources=resources,
            sweeps=sweeps,
            runs=runs,
            signals=SignalSeries(series, registry),
            compare=Compare(runs),
            stress=Stress(runs, sweeps, registry, resources.queue),
        )
