"""Sweeps: simulate a grid of settings and keep the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Sweep, Window
from shared.contracts.progress import NoProgress, Progress
from shared.errors import InvalidInput, NotFound
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Connection
from simulation_service.domain import engine
from simulation_service.domain.engine import CODE_VERSION, Terms
from simulation_service.domain.market import Floats, Market
from simulation_service.domain.reach import ranges_of, remark
from simulation_service.domain.records import Run, SweepRecord
from simulation_service.store import Registry, Series
from simulation_service.use_cases.markets import Markets, Reads

Fence = Callable[[Connection], None]

#: bars that one setting is walked over while its caller waits: two years of minutes take some tens of milliseconds
SHORT_BARS = 250_000


@dataclass(frozen=True)
class SweepView:
    """A stored sweep with its runs."""

    record: SweepRecord
    runs: list[Run]


class Sweeps:
    """Grids of settings over one model's predictions of one symbol."""

    def __init__(self, series: Series, registry: Registry, markets: Markets, queue: Queue, *, threads: int = 1) -> None:
        self._series = series
        self._registry = registry
        self._markets = markets
        self._queue = queue
        self._threads = threads

    def submit(self, sweep: Sweep, *, priority: float = 0.0) -> int:
        """Enqueue a sweep and return the job's id; the same request while it waits or runs is the same job.

        Raises NotFound at once when the model has no predictions in the window, InvalidInput when a setting reads
        them as what they are not.
        """
        self._markets.check(sweep)
        return self._queue.submit([_submission(sweep, priority)])[0]

    def submit_all(self, sweeps: Sequence[Sweep], *, priority: float = 0.0) -> list[int]:
        """Enqueue sweeps that are known to have predictions, in one transaction; return the jobs' ids in order."""
        return self._queue.submit([_submission(sweep, priority) for sweep in sweeps])

    def models_of(self, symbol: str, window: Window) -> list[str]:
        """Return every model with predictions of the symbol in the window, sorted. Raises NotFound without any."""
        found = self._series.models_of(symbol, window)
        if not found:
            raise NotFound(
                f"no model has predictions for {symbol} from {window.start} to {window.end}: train or predict first"
            )
        return found

    def is_short(self, sweep: Sweep) -> bool:
        """Whether a caller can wait for it: one setting over few bars, and no bot to be taught. Opens no file."""
        return (
            len(sweep.settings) == 1
            and Reads.of(sweep).bot is None
            and self._series.count_bars(sweep.symbol, sweep.window) <= SHORT_BARS
        )

    def simulate_now(self, sweep: Sweep) -> SweepView:
        """Simulate and store while the caller waits: for short ones. Raises as `simulate`."""
        result = self.simulate(sweep, NoProgress(), None)
        self._registry.keep_sweep(result)
        return self.view(result["fingerprint"])

    def simulate(self, sweep: Sweep, progress: Progress, still_mine: Fence | None) -> dict[str, Any]:
        """Run all settings, write ledger and exposures, and return the job's result.

        A sweep that is stored already is not run again. Raises NotFound without predictions, bars or baseline,
        InvalidInput when the window mixes predictions of folds with those of the frozen artefact.
        """
        reads = Reads.of(sweep)
        loaded = self._markets.load(sweep, reads, still_mine)
        market = loaded.market
        name, ranges = _name(sweep, market), ranges_of(market, sweep.settings, own=loaded.evidence == "own")
        result = {
            "fingerprint": name,
            "evidence": loaded.evidence,
            "data_version": market.data_version,
            "code_version": CODE_VERSION,
            "bars": market.bars,
            "sessions": market.sessions,
            "reads": reads.as_json(),
            "signals": ranges,
            "note": remark(sweep.settings, ranges),
            "sweep": sweep.model_dump(mode="json"),
        }
        if self._registry.sweep(name) is not None:
            stored = self._registry.sweep_runs(name)
            runs = [{"index": run.index, "metrics": run.metrics.model_dump(mode="json")} for run in stored]
            return {**result, "reused": True, "runs": runs}
        terms = Terms(costs=sweep.costs, starting_cash=sweep.starting_cash)
        baseline = frozen_exposures(self._series, self._registry, sweep.baseline_sweep, sweep.baseline_settings)
        found = engine.sweep(market, sweep.settings, terms, baseline=baseline, threads=self._threads, progress=progress)
        self._series.save_sweep(name, market, found, still_mine)
        runs = [
            {"index": index, "metrics": metrics.model_dump(mode="json")} for index, metrics in enumerate(found.metrics)
        ]
        return {**result, "reused": False, "runs": runs}

    def view(self, name: str) -> SweepView:
        """Return a sweep and its runs. Raises NotFound."""
        record = self._registry.sweep(name)
        if record is None:
            raise NotFound(f"there is no sweep {name}")
        return SweepView(record, self._registry.sweep_runs(name))

    def page(
        self, *, symbol: str | None = None, model: str | None = None, limit: int, offset: int
    ) -> tuple[list[SweepRecord], int]:
        """Return a page of sweeps, newest first, and how many there are."""
        return self._registry.sweeps(symbol=symbol, model=model, limit=limit, offset=offset)


def frozen_exposures(series: Series, registry: Registry, sweep: str | None, settings: Sequence[int]) -> Floats | None:
    """Return the frozen exposures, one row a setting. Raises NotFound or InvalidInput when they are not there."""
    if sweep is None:
        return None
    if registry.sweep(sweep) is None:
        raise NotFound(f"there is no sweep {sweep} to take the frozen exposures from: simulate it first")
    rows, wanted = series.exposures(sweep), np.array(settings, dtype=np.int64)
    if wanted.min() < 0 or wanted.max() >= len(rows):
        raise InvalidInput(f"sweep {sweep[:10]} has settings 0 to {len(rows) - 1}, but {list(settings)} were named")
    return rows[wanted]


def _submission(sweep: Sweep, priority: float) -> Submission:
    payload = sweep.model_dump(mode="json")
    key = f"{JobKind.SWEEP}:{fingerprint('sweep_request', **payload)}"
    return Submission(kind=JobKind.SWEEP, payload=payload, priority=priority, unique_key=key)


def _name(sweep: Sweep, market: Market) -> str:
    return fingerprint("sweep", data_version=market.data_version, code_version=CODE_VERSION, **dict(sweep))
