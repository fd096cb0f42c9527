"""The job handlers: the three steps of a batch."""

from __future__ import annotations

from optimization_service.use_cases import Rounds
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome


def predict_missing(rounds: Rounds, ctx: JobContext) -> Outcome:
    return rounds.predict_missing(ctx.payload["batch"], ctx.priority)


def simulate_next(rounds: Rounds, ctx: JobContext) -> Outcome:
    return rounds.simulate_next(ctx.payload, ctx.priority)


def rank_round(rounds: Rounds, ctx: JobContext) -> Outcome:
    return rounds.rank(ctx.payload, ctx.priority)
