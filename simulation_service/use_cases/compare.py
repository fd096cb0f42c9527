"""Comparing runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from shared.errors import Conflict, InvalidInput, NotFound
from simulation_service.domain.records import Run, SweepRecord
from simulation_service.use_cases.runs import Runs

MOST = 8


@dataclass(frozen=True)
class Compared:
    """Runs, their rows of the trial ledger, and the side held on each bar (None where that cannot be shown again)."""

    runs: list[tuple[Run, SweepRecord]]
    daily: list[pl.DataFrame]
    held: list[pl.DataFrame | None]


class Compare:
    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def named(self, ids: Sequence[str]) -> list[tuple[Run, SweepRecord]]:
        """Return the runs of these ids, each once. Raises NotFound, and InvalidInput unless they are 2 to 8."""
        wanted = list(dict.fromkeys(ids))
        if not 2 <= len(wanted) <= MOST:
            raise InvalidInput(f"{len(wanted)} runs to compare: name 2 to {MOST}, as in /compare?run=...&run=...")
        return [self._runs.with_sweep(run_id) for run_id in wanted]

    def daily(self, ids: Sequence[str]) -> list[pl.DataFrame]:
        """Return the runs' rows of the trial ledger. Raises as `named`."""
        return [self._runs.daily(run.id) for run, _ in self.named(ids)]

    def of(self, ids: Sequence[str]) -> Compared:
        """Return what is compared. Raises as `named`."""
        runs = self.named(ids)
        return Compared(runs, [self._runs.daily(run.id) for run, _ in runs], [self._held(run.id) for run, _ in runs])

    def _held(self, run_id: str) -> pl.DataFrame | None:
        try:
            equity = self._runs.detail(run_id).equity
        except (Conflict, NotFound):  # the data changed: its figures can still be compared
            return None
        return equity.select("ts", pl.col("shares").sign().alias("side"))
