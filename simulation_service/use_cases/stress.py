"""Stress: a chosen run again under harder terms, and at random times."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import polars as pl

from shared.contracts.kinds import JobKind
from shared.contracts.messages import Sweep
from shared.contracts.progress import NoProgress, Progress
from shared.errors import NotFound
from shared.jobs.model import Job, Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Connection
from simulation_service.domain.market import Market
from simulation_service.domain.placebo import Placebo, Trades, placebo
from simulation_service.domain.records import StressRecord, split_run_id
from simulation_service.domain.stress import doubled, variants
from simulation_service.store import Registry
from simulation_service.use_cases.runs import RunDetail, Runs
from simulation_service.use_cases.sweeps import Sweeps

Fence = Callable[[Connection], None]

#: points of the drawn returns that are kept, enough for a histogram
_QUANTILES = 101


class Stress:
    """Stress reports of runs."""

    def __init__(self, runs: Runs, sweeps: Sweeps, registry: Registry, queue: Queue) -> None:
        self._runs = runs
        self._sweeps = sweeps
        self._registry = registry
        self._queue = queue

    def submit(self, run_id: str, *, draws: int, seed: int) -> int:
        """Enqueue a stress test and return the job's id. Raises NotFound at once when there is no such run."""
        self._runs.run(run_id)
        payload = {"run": run_id, "draws": draws, "seed": seed}
        key = f"{JobKind.STRESS}:{run_id}:{draws}:{seed}"
        return self._queue.submit([Submission(kind=JobKind.STRESS, payload=payload, unique_key=key)])[0]

    def job(self, run_id: str, job_id: int | None) -> Job | None:
        """Return the job that stresses this run, None when `job_id` is of none that does."""
        with suppress(NotFound):
            job = None if job_id is None else self._queue.job(job_id)
            if job is not None and job.kind == JobKind.STRESS and job.payload.get("run") == run_id:
                return job
        return None

    def report(self, run_id: str) -> StressRecord:
        """Return the newest report of a run. Raises NotFound when there is none."""
        found = self.report_if_any(run_id)
        if found is None:
            raise NotFound(f"run {run_id} was not stressed yet: POST /runs/{run_id}/stress first")
        return found

    def report_if_any(self, run_id: str) -> StressRecord | None:
        """Return the newest report of a run, None when there is none. Raises NotFound when there is no such run."""
        self._runs.run(run_id)
        return self._registry.stress(*split_run_id(run_id))

    def run(
        self, run_id: str, *, draws: int, seed: int, progress: Progress, still_mine: Fence | None
    ) -> dict[str, Any]:
        """Simulate the variants and the placebo; return the job's result. Raises as `Runs.detail` does."""
        detail = self._runs.detail(run_id)
        run, sweep = detail.run, detail.sweep
        named = variants(run.setting)
        asked = sweep.asked(*(variant.setting for variant in named))
        progress.advanced(0.2, "later fills and other thresholds")
        harder = self._sweeps.simulate(asked, NoProgress(), still_mine)
        progress.advanced(0.5, "costs twice as high")
        dearer = self._sweeps.simulate(_with_costs(sweep.asked(run.setting)), NoProgress(), still_mine)
        progress.advanced(0.7, f"{draws} draws at random times")
        drawn = _drawn(detail, draws, seed)
        rows = [
            {"name": variant.name, "run": f"{harder['fingerprint']}-{index}", "metrics": found["metrics"]}
            for index, (variant, found) in enumerate(zip(named, harder["runs"], strict=True))
        ]
        twice = {
            "name": "costs x 2",
            "run": f"{dearer['fingerprint']}-0",
            "metrics": dearer["runs"][0]["metrics"],
        }
        report = {
            "run": run_id,
            "variants": [rows[0], twice, *rows[1:]],
            "placebo": None if drawn is None else _told(drawn, detail.trades.height),
        }
        return {
            "sweep": run.sweep,
            "index": run.index,
            "draws": draws,
            "seed": seed,
            "report": report,
            "sweeps": [harder, dearer],
        }


def _with_costs(sweep: Sweep) -> Sweep:
    return sweep.model_copy(update={"costs": doubled(sweep.costs)})


def _drawn(detail: RunDetail, draws: int, seed: int) -> Placebo | None:
    """Return the run's placebo, None when it never traded."""
    if detail.trades.is_empty():
        return None
    setting = detail.run.setting
    trades = _trades(detail.market, detail.trades)
    overnight = not setting.flat_at_close
    return placebo(detail.market, trades, fill=setting.fill, overnight=overnight, draws=draws, seed=seed)


def _trades(market: Market, frame: pl.DataFrame) -> Trades:
    def rows(column: str) -> np.ndarray:
        return np.searchsorted(market.ts_us, frame[column].dt.epoch("us").to_numpy())

    value = (frame["shares"] * frame["entry_price"]).to_numpy()
    return Trades(
        entry=rows("entry_ts"),
        exit=rows("exit_ts"),
        side=np.where((frame["side"] == "long").to_numpy(), 1, -1),
        at_close=frame["left_by"].is_in(["close", "bust"]).to_numpy(),
        costs=frame["costs"].to_numpy() / value,
        earned=frame["return"].to_numpy(),
    )


def _told(drawn: Placebo, trades: int) -> dict[str, Any]:
    return {
        "draws": len(drawn.drawn),
        "seed": drawn.seed,
        "trades": trades,
        "real": drawn.real,
        "percentile": drawn.percentile,
        "p_value": drawn.p_value,
        "quantiles": np.quantile(drawn.drawn, np.linspace(0, 1, _QUANTILES)).tolist(),
    }
