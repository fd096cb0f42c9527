"""The job handlers: the three steps of a batch."""

from __future__ import annotations

from optimization_service.domain.batch import Batch, Failure
from optimization_service.use_cases import Batches
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome


def predict_missing(batches: Batches, ctx: JobContext) -> Outcome:
    name, batch = _batch(ctx)
    group = batches.missing_predictions(name, batch, ctx.priority)
    return Outcome(result={"batch": name, "predictions": len(group.jobs)}, submit=[group])


def simulate_pairs(batches: Batches, ctx: JobContext) -> Outcome:
    name, batch = _batch(ctx)
    group = batches.sweeps(name, batch, ctx.payload["group_id"], ctx.priority)
    return Outcome(result={"batch": name, "sweeps": len(group.jobs)}, submit=[group])


def rank_trials(batches: Batches, ctx: JobContext) -> Outcome:
    name, batch = _batch(ctx)
    failures = [Failure.model_validate(item) for item in ctx.payload["failures"]]
    return Outcome(result=batches.ranking(name, batch, failures, ctx.payload["group_id"]))


def _batch(ctx: JobContext) -> tuple[str, Batch]:
    return ctx.payload["batch"], Batch.model_validate(ctx.payload["definition"])
