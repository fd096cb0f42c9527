"""The job handlers."""

from __future__ import annotations

from shared.contracts.messages import Predict, Train
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome
from training_service.use_cases import Models


def train_model(models: Models, ctx: JobContext) -> Outcome:
    task = Train.model_validate(dict(ctx.payload))
    return Outcome(result=models.train(task, ctx, ctx.still_mine))


def predict_window(models: Models, ctx: JobContext) -> Outcome:
    task = Predict.model_validate(dict(ctx.payload))
    return Outcome(result=models.predict(task, ctx, ctx.still_mine))
