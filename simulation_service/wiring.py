"""Builds the service's parts and hands them over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.jobs.resources import Resources, open_resources
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


def keep_compiled_code(home: Path) -> None:
    """Let numba keep machine code in the data folder, private to this user: whoever may write there runs code.

    Only before numba is imported; where somebody chose a folder already, theirs is kept. Without a writable folder
    each process compiles again (2 s).
    """
    folder = home / "cache" / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError:
        return
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))
