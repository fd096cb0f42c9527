"""Batches: work out what a wish means, start it, follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from optimization_service.domain.batch import Batch, Pair, batch_of, usual_axes
from optimization_service.domain.records import BatchRecord, BatchState, Member, Standing, Step, standing_of
from optimization_service.domain.search import Search
from optimization_service.store import Candidate, Models, Registry, Series
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Costs, Window
from shared.errors import Conflict, InvalidInput, NotFound
from shared.jobs.model import Submission
from shared.jobs.queue import Queue

#: batches that ended so may be started again; what is done already is kept
_RESTARTABLE = (BatchState.FAILED, BatchState.CANCELLED, BatchState.PARTIAL)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A batch as asked for, before it is known which models and windows that means.

    axes : values to try by field of Setting; empty: the usual ones
    """

    models: Sequence[str]
    top: int
    symbols: Sequence[str]
    start: datetime | None
    end: datetime | None
    axes: Mapping[str, Sequence[JsonValue]]
    search: Search
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
    batch: Batch
    standing: Standing


class Batches:
    def __init__(self, registry: Registry, series: Series, models: Models, queue: Queue) -> None:
        self._registry = registry
        self._series = series
        self._models = models
        self._queue = queue

    def submit(self, wish: Wish) -> Started:
        """Work out what the wish means and start it; a batch of the same definition is not run twice.

        One that failed, was cancelled or has failed trials goes on where its rows end.
        Raises NotFound for an unknown model, InvalidInput when a symbol has no bars or a model none after its
        training, Unavailable when the training service does not answer.
        """
        batch = self.plan(wish)
        name = batch.fingerprint
        with self._registry.transaction() as conn:
            self._registry.lock(conn, name)
            known = self._registry.batch(conn, name)
            if known is not None and standing_of(*known).state not in _RESTARTABLE:
                return Started(batch=name, job_id=known[0].job_id, reused=True)
            submission = Submission(kind=JobKind.BATCH, payload={"batch": name}, priority=wish.priority)
            job_id = self._queue.submit([submission], conn=conn)[0]
            self._registry.start(conn, batch, job_id)
        return Started(batch=name, job_id=job_id, reused=False)

    def plan(self, wish: Wish) -> Batch:
        """Return the batch that the wish means now: its models, symbols, windows and points."""
        if bool(wish.models) == (wish.top > 0):
            raise InvalidInput("name models, or say how many of the top ones: one of the two")
        for symbol in wish.symbols:
            self._bars_end(symbol)
        models = [self._models.one(model) for model in wish.models] or self._models.best(wish.top)
        pairs: list[Pair] = []
        for model, symbol in [(one, symbol) for one in models for symbol in wish.symbols or [one.symbol]]:
            try:
                pairs.append(self._pair(model, symbol, wish))
            except InvalidInput:
                # whoever names a model wants to know; whoever asks for the best means the best that can be tried
                if wish.models:
                    raise
        axes = wish.axes or self._usual_axes(pairs)
        return batch_of(pairs, axes, search=wish.search, costs=wish.costs, starting_cash=wish.starting_cash)

    def _usual_axes(self, pairs: Sequence[Pair]) -> Mapping[str, Sequence[JsonValue]]:
        models = {pair.model for pair in pairs}
        return usual_axes(
            bot=all(self._series.learns(model) for model in models),
            regimes=[self._series.regimes(pair) for pair in pairs],
        )

    def _bars_end(self, symbol: str) -> datetime:
        stored = self._series.bars_end(symbol)
        if stored is None:
            raise InvalidInput(f"there are no bars of {symbol}: ingest them first")
        return stored

    def _pair(self, model: Candidate, symbol: str, wish: Wish) -> Pair:
        start = wish.start or model.trained_until
        if start < model.trained_until:
            raise InvalidInput(
                f"model {model.fingerprint[:10]} was trained until {model.trained_until}: the window cannot start at "
                f"{start}, use that moment or later, or leave the start out"
            )
        stored = self._bars_end(symbol)
        # a search keeps the days after those it chose on sealed: they are tried only by who names them
        chosen = model.chosen_until
        end = wish.end or (chosen if chosen is not None and start < chosen else stored)
        if start >= end or start >= stored:
            raise InvalidInput(
                f"there is nothing to try model {model.fingerprint[:10]} on: its window would start at {start}, "
                f"bars of {symbol} end at {stored}, and the asked end is {wish.end or 'not given'}"
            )
        window = Window(start=start, end=end)
        return Pair(model=model.fingerprint, symbol=symbol, window=window, horizon_bars=model.horizon_bars)

    # following ----------------------------------------------------------------------------------------------------

    def view(self, name: str) -> BatchView:
        """Return a batch and how far it is. Raises NotFound."""
        with self._registry.transaction() as conn:
            found = self._registry.batch(conn, name)
        if found is None:
            raise NotFound(f"there is no batch {name}")
        return _view(*found)

    def page(self, limit: int, offset: int) -> tuple[list[BatchView], int]:
        """Return a page of batches, newest first, and how many there are."""
        found, total = self._registry.batches(limit, offset)
        return [_view(*one) for one in found], total

    def members(self, view: BatchView) -> list[Member]:
        return self._registry.members(view.record.fingerprint, view.batch)

    def cancel(self, name: str) -> BatchView:
        """Call a batch off with all it waits for; its trials so far stay. Raises NotFound, Conflict when it ended."""
        view = self.view(name)
        if view.standing.state not in (BatchState.PENDING, BatchState.RUNNING):
            raise Conflict(f"batch {name[:10]} is {view.standing.state} already: only running ones can be cancelled")
        # its own jobs first; the end of the last member of a group still submits what follows it
        while jobs := self._registry.live_jobs(name, view.record.job_id):
            for job_id in jobs:
                try:
                    self._queue.cancel(job_id)
                except Conflict:
                    continue  # it ended meanwhile
        return self.view(name)


def _view(record: BatchRecord, steps: Sequence[Step]) -> BatchView:
    batch = Batch.model_validate(record.definition)
    return BatchView(record=record, batch=batch, standing=standing_of(record, steps))
