"""Sweeps: simulate a grid of settings and keep the ledger. Runs: list them, and open one in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Sweep
from shared.contracts.progress import Progress
from shared.errors import Conflict, InvalidInput, NotFound
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Connection
from simulation_service.domain import engine
from simulation_service.domain.engine import CODE_VERSION, Terms
from simulation_service.domain.market import Floats, Market
from simulation_service.domain.records import Run, SweepRecord, split_run_id
from simulation_service.store import Predicted, RunFilter, Store, no_predictions

#: fold number of a frozen artefact's predictions
_FROZEN = -1


@dataclass(frozen=True)
class SweepView:
    """A stored sweep with its runs."""

    record: SweepRecord
    runs: list[Run]


@dataclass(frozen=True, kw_only=True)
class RunDetail:
    """A run in full: what was traded, and the account after each bar."""

    run: Run
    sweep: SweepRecord
    trades: pl.DataFrame
    equity: pl.DataFrame
    market: Market


class Sweeps:
    """Grids of settings over one model's predictions of one symbol."""

    def __init__(self, store: Store, queue: Queue, *, threads: int = 1) -> None:
        self._store = store
        self._queue = queue
        self._threads = threads

    def submit(self, sweep: Sweep, *, priority: float = 0.0) -> int:
        """Enqueue a sweep and return the job's id; the same request while it waits or runs is the same job.

        Raises NotFound at once when the model has no predictions in the window.
        """
        if not self._store.has_predictions(sweep.model, sweep.symbol, sweep.window):
            raise no_predictions(sweep.model, sweep.symbol, sweep.window)
        payload = sweep.model_dump(mode="json")
        key = f"{JobKind.SWEEP}:{fingerprint('sweep_request', **payload)}"
        submission = Submission(kind=JobKind.SWEEP, payload=payload, priority=priority, unique_key=key)
        return self._queue.submit([submission])[0]

    def simulate(self, sweep: Sweep, progress: Progress, still_mine: Callable[[Connection], None]) -> dict[str, object]:
        """Run all settings, write ledger and exposures, and return the job's result.

        A sweep that is stored already is not run again. Raises NotFound without predictions, bars or baseline,
        InvalidInput when the window mixes predictions of folds with those of the frozen artefact.
        """
        predicted = self._store.market(sweep.model, sweep.symbol, sweep.window)
        evidence = evidence_of(sweep, predicted)
        market = predicted.market
        name = _name(sweep, market)
        result = {
            "fingerprint": name,
            "evidence": evidence,
            "data_version": market.data_version,
            "code_version": CODE_VERSION,
            "bars": market.bars,
            "sessions": market.sessions,
            "sweep": sweep.model_dump(mode="json"),
        }
        if self._store.sweep(name) is not None:
            stored = self._store.sweep_runs(name)
            runs = [{"index": run.index, "metrics": run.metrics.model_dump(mode="json")} for run in stored]
            return {**result, "reused": True, "runs": runs}
        terms = Terms(costs=sweep.costs, starting_cash=sweep.starting_cash)
        baseline = _baseline(self._store, sweep.baseline_sweep, sweep.baseline_settings)
        found = engine.sweep(market, sweep.settings, terms, baseline=baseline, threads=self._threads, progress=progress)
        self._store.save_sweep(name, market, found, still_mine)
        runs = [
            {"index": index, "metrics": metrics.model_dump(mode="json")} for index, metrics in enumerate(found.metrics)
        ]
        return {**result, "reused": False, "runs": runs}

    def view(self, name: str) -> SweepView:
        """Return a sweep and its runs. Raises NotFound."""
        record = self._store.sweep(name)
        if record is None:
            raise NotFound(f"there is no sweep {name}")
        return SweepView(record, self._store.sweep_runs(name))

    def page(
        self, *, symbol: str | None = None, model: str | None = None, limit: int, offset: int
    ) -> tuple[list[SweepRecord], int]:
        """Return a page of sweeps, newest first, and how many there are."""
        return self._store.sweeps(symbol=symbol, model=model, limit=limit, offset=offset)


class Runs:
    """Single settings of stored sweeps."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, wanted: RunFilter) -> tuple[list[Run], int]:
        """Return a page of runs and how many the filters leave."""
        return self._store.runs(wanted)

    def run(self, run_id: str) -> Run:
        """Return one run. Raises NotFound."""
        run = self._store.run(*split_run_id(run_id))
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        return run

    def with_sweep(self, run_id: str) -> tuple[Run, SweepRecord]:
        """Return a run and its sweep. Raises NotFound."""
        run = self.run(run_id)
        return run, self._sweep(run)

    def detail(self, run_id: str) -> RunDetail:
        """Simulate a stored run again from the lake, with every trade and bar recorded.

        Raises Conflict when bars or predictions of the window are no longer those the sweep read, when the code is
        of another version, or when the figures worked out from the trades differ from the stored ones.
        """
        # imported here: they pull numba, which listing runs does not need
        from simulation_service.domain.audit import metrics_from
        from simulation_service.domain.tables import equity_frame, trades_frame

        run = self.run(run_id)
        sweep = self._sweep(run)
        market = self._store.market(run.model, run.symbol, sweep.window).market
        self._check_versions(sweep, market)
        terms = Terms(costs=sweep.costs, starting_cash=sweep.starting_cash)
        baseline = _baseline(self._store, sweep.baseline_sweep, sweep.baseline_settings)
        own = None if baseline is None else baseline[run.index : run.index + 1]
        detail = engine.detail(market, run.setting, terms, baseline=own)
        again = metrics_from(market, run.setting, terms, detail, baseline=own)
        if again != run.metrics:
            raise Conflict(f"run {run_id} does not add up: stored {run.metrics}, its trades give {again}")
        return RunDetail(
            run=run,
            sweep=sweep,
            trades=trades_frame(market, detail),
            equity=equity_frame(market, detail, sweep.starting_cash),
            market=market,
        )

    def _sweep(self, run: Run) -> SweepRecord:
        record = self._store.sweep(run.sweep)
        if record is None:
            raise NotFound(f"there is no sweep {run.sweep}")
        return record

    def _check_versions(self, sweep: SweepRecord, market: Market) -> None:
        if sweep.code_version != CODE_VERSION:
            raise Conflict(
                f"sweep {sweep.fingerprint[:10]} was made by {sweep.code_version}, this is {CODE_VERSION}: "
                "its figures stand, its trades can be shown again only after simulating it anew"
            )
        if sweep.data_version != market.data_version:
            raise Conflict(
                f"the bars or predictions of {sweep.symbol} from {sweep.window_start} to {sweep.window_end} have "
                f"changed since sweep {sweep.fingerprint[:10]} was made: its figures stand, its trades can be shown "
                "again only after simulating it anew"
            )


def evidence_of(sweep: Sweep, predicted: Predicted) -> str:
    """Return 'frozen' or 'folds': which predictions the window holds.

    Both are out-of-sample. Those of the folds come from other fits than the artefact that would be promoted, so
    the two are never mixed in one sweep. Raises InvalidInput when the window holds both.
    """
    frozen = _FROZEN in predicted.folds
    if frozen and len(predicted.folds) > 1:
        raise InvalidInput(
            f"the window from {sweep.window.start} to {sweep.window.end} reaches into the training of model "
            f"{sweep.model[:10]}: it holds predictions of the frozen model and of its walk-forward folds "
            f"{[fold for fold in predicted.folds if fold != _FROZEN]}. Start after the training, or end before its end"
        )
    return "frozen" if frozen else "folds"


def _name(sweep: Sweep, market: Market) -> str:
    return fingerprint(
        "sweep",
        data_version=market.data_version,
        code_version=CODE_VERSION,
        model=sweep.model,
        symbol=sweep.symbol,
        window=sweep.window,
        settings=sweep.settings,
        costs=sweep.costs,
        starting_cash=sweep.starting_cash,
        baseline_sweep=sweep.baseline_sweep,
        baseline_settings=sweep.baseline_settings,
    )


def _baseline(store: Store, sweep: str | None, settings: tuple[int, ...] | list[int]) -> Floats | None:
    """Return the frozen exposures, one row a setting. Raises NotFound or InvalidInput when they are not there."""
    if sweep is None:
        return None
    if store.sweep(sweep) is None:
        raise NotFound(f"there is no sweep {sweep} to take the frozen exposures from: simulate it first")
    rows, wanted = store.exposures(sweep), np.array(settings, dtype=np.int64)
    if wanted.min() < 0 or wanted.max() >= len(rows):
        raise InvalidInput(f"sweep {sweep[:10]} has settings 0 to {len(rows) - 1}, but {list(settings)} were named")
    return rows[wanted]
