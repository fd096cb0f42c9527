"""Batches: plan, simulate and rank. Leaderboard: read what came out.

A batch is three jobs, none of which waits for another:

1. `optimization.batch` submits the predictions that are missing, as a group whose continuation is
2. `optimization.sweep`: submits one simulation a pair, as a group whose continuation is
3. `optimization.rank`: collects what the simulations found. Pairs that failed on the way are members with an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optimization_service.domain.batch import Batch, Failure, Grid, Pair, batch_of
from optimization_service.domain.luck import Luck, luck_of
from optimization_service.domain.records import (
    BatchRecord,
    BatchState,
    Cell,
    Member,
    Standing,
    Trial,
    standing_of,
)
from optimization_service.store import Candidate, Models, Store, TrialFilter
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Costs, Window
from shared.errors import InvalidInput, NotFound
from shared.jobs.model import Group, Job, JobState, Submission
from shared.jobs.queue import Queue

#: simulations of a batch that ended otherwise may be started again
_RESTARTABLE = (BatchState.FAILED, BatchState.CANCELLED, BatchState.PARTIAL)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A batch as asked for, before it is known which models and windows that means."""

    models: Sequence[str]
    top: int
    symbols: Sequence[str]
    start: datetime | None
    end: datetime | None
    grid: Grid
    costs: Costs
    starting_cash: float
    priority: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Started:
    """A batch's name, the job that works on it, and whether it was there already."""

    batch: str
    job_id: int
    reused: bool


@dataclass(frozen=True, kw_only=True)
class BatchView:
    record: BatchRecord
    standing: Standing


class Batches:
    def __init__(self, store: Store, models: Models, queue: Queue) -> None:
        self._store = store
        self._models = models
        self._queue = queue

    def submit(self, wish: Wish) -> Started:
        """Work out what the wish means and start it; a batch of the same definition is not run twice.

        One that failed, was cancelled or has failed members starts again: what is done already is reused.
        Raises NotFound for an unknown model, InvalidInput when a model has no bars after its training,
        Unavailable when the training service does not answer.
        """
        batch = self.plan(wish)
        name = batch.fingerprint
        payload = {"batch": name, "definition": batch.model_dump(mode="json")}
        with self._store.transaction() as conn:
            self._store.lock(conn, name)
            known = self._store.batch(conn, name)
            if known is not None and standing_of(*known).state not in _RESTARTABLE:
                return Started(batch=name, job_id=known[0].job_id, reused=True)
            submission = Submission(kind=JobKind.BATCH, payload=payload, priority=wish.priority)
            job_id = self._queue.submit([submission], conn=conn)[0]
            self._store.insert(conn, batch, job_id)
        return Started(batch=name, job_id=job_id, reused=False)

    def plan(self, wish: Wish) -> Batch:
        """Return the batch that the wish means now: its models, symbols and windows."""
        if bool(wish.models) == (wish.top > 0):
            raise InvalidInput("name models, or say how many of the top ones: one of the two")
        models = [self._models.one(model) for model in wish.models] or self._models.best(wish.top)
        pairs: list[Pair] = []
        for model, symbol in [(one, symbol) for one in models for symbol in wish.symbols or [one.symbol]]:
            try:
                pairs.append(self._pair(model, symbol, wish))
            except InvalidInput:
                # whoever names a model wants to know; whoever asks for the best means the best that can be tried
                if wish.models:
                    raise
        return batch_of(pairs, wish.grid, costs=wish.costs, starting_cash=wish.starting_cash)

    def _pair(self, model: Candidate, symbol: str, wish: Wish) -> Pair:
        start = wish.start or model.trained_until
        if start < model.trained_until:
            raise InvalidInput(
                f"model {model.fingerprint[:10]} was trained until {model.trained_until}: the window cannot start at "
                f"{start}, use that moment or later, or leave the start out"
            )
        stored = self._store.bars_end(symbol)
        # a search keeps the days after those it chose on sealed: they are tried only by who names them
        chosen = model.chosen_until
        end = wish.end or (chosen if chosen is not None and start < chosen else stored)
        if end is None:
            raise InvalidInput(f"there are no bars of {symbol}: ingest them first")
        if start >= end or (stored is not None and start >= stored):
            raise InvalidInput(
                f"there is nothing to try model {model.fingerprint[:10]} on: its window would start at {start}, "
                f"bars of {symbol} end at {stored}, and the asked end is {wish.end or 'not given'}"
            )
        return Pair(model=model.fingerprint, symbol=symbol, window=Window(start=start, end=end))

    # the three jobs -----------------------------------------------------------------------------------------------

    def missing_predictions(self, name: str, batch: Batch, priority: float) -> Group:
        """Return the predictions the batch lacks, leading to its simulations."""
        jobs = [
            Submission(kind=JobKind.PREDICT, payload=pair.prediction().model_dump(mode="json"), priority=priority)
            for pair in batch.pairs
            if self._store.lacks_predictions(pair)
        ]
        payload = {"batch": name, "definition": batch.model_dump(mode="json")}
        return Group(jobs=jobs, continuation=Submission(kind=JobKind.BATCH_SWEEP, payload=payload, priority=priority))

    def sweeps(self, name: str, batch: Batch, group_id: int, priority: float) -> Group:
        """Return the simulations of every pair whose prediction did not fail, leading to the ranking."""
        failures = [_failure(job) for job in self._queue.group(group_id) if job.state is not JobState.COMPLETED]
        broken = {(failure.model, failure.symbol) for failure in failures}
        jobs: list[Submission] = []
        for pair in batch.pairs:
            if (pair.model, pair.symbol) not in broken:
                payload = batch.sweep(pair).model_dump(mode="json")
                key = f"{JobKind.SWEEP}:{fingerprint('sweep_request', **payload)}"
                jobs.append(Submission(kind=JobKind.SWEEP, payload=payload, priority=priority, unique_key=key))
        payload = {
            "batch": name,
            "definition": batch.model_dump(mode="json"),
            "failures": [failure.model_dump(mode="json") for failure in failures],
        }
        return Group(jobs=jobs, continuation=Submission(kind=JobKind.BATCH_RANK, payload=payload, priority=priority))

    def ranking(self, name: str, batch: Batch, failures: Sequence[Failure], group_id: int) -> dict[str, Any]:
        """Return the job's result: each pair with its sweep's figures, or with why it has none."""
        found: dict[tuple[str, str], dict[str, Any]] = {
            (failure.model, failure.symbol): {"error": failure.error} for failure in failures
        }
        for job in self._queue.group(group_id):
            pair = (str(job.payload["model"]), str(job.payload["symbol"]))
            if job.state is JobState.COMPLETED and job.result is not None:
                found[pair] = {"sweep": job.result["fingerprint"], "runs": job.result["runs"]}
            else:
                found[pair] = {"error": _failure(job).error}
        members = [
            {**pair.model_dump(mode="json"), "runs": [], **found[pair.model, pair.symbol]} for pair in batch.pairs
        ]
        settings = [setting.model_dump(mode="json") for setting in batch.settings]
        return {"batch": name, "settings": settings, "members": members}

    # reading ------------------------------------------------------------------------------------------------------

    def view(self, name: str) -> BatchView:
        """Return a batch and how far it is. Raises NotFound."""
        with self._store.transaction() as conn:
            found = self._store.batch(conn, name)
        if found is None:
            raise NotFound(f"there is no batch {name}")
        return BatchView(record=found[0], standing=standing_of(*found))

    def page(self, limit: int, offset: int) -> tuple[list[BatchView], int]:
        """Return a page of batches, newest first, and how many there are."""
        found, total = self._store.batches(limit, offset)
        return [BatchView(record=record, standing=standing_of(record, steps)) for record, steps in found], total

    def members(self, name: str) -> list[Member]:
        return self._store.members(name)

    def grid(self, name: str) -> list[Cell]:
        return self._store.grid(name)


class Leaderboard:
    """Every trial of every batch, each simulated setting once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, wanted: TrialFilter) -> tuple[list[Trial], int]:
        """Return a page of trials and how many the filters leave."""
        return self._store.trials(wanted)

    def luck(self, batch: str | None) -> Luck:
        """Return how many trials were made, the best of them, and what luck alone would have shown."""
        spread = self._store.spread(batch)
        return luck_of(spread.trials, spread.best_sharpe, spread.sharpe_sd)


def _failure(job: Job) -> Failure:
    error = job.error or f"{job.kind} was {job.state.lower()}"
    return Failure(
        model=job.payload["model"],
        symbol=job.payload["symbol"],
        # its first line says what was wrong; where in the code is on the job's page
        error=f"{job.kind} job {job.id}: {error.strip().splitlines()[0]}",
    )
