"""The job handlers."""

from __future__ import annotations

from feature_service.use_cases import Features
from shared.contracts.messages import BuildFeatures
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome


def build_features(features: Features, ctx: JobContext) -> Outcome:
    request = BuildFeatures.model_validate(dict(ctx.payload))
    return Outcome(result=features.build(request, ctx, ctx.still_mine))
