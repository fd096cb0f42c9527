"""The job handlers."""

from __future__ import annotations

from feature_service.use_cases import Builds
from shared.contracts.messages import BuildFeatures
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome


def build_features(builds: Builds, ctx: JobContext) -> Outcome:
    request = BuildFeatures.model_validate(dict(ctx.payload))
    return Outcome(result=builds.build(request, ctx.job_id, ctx, ctx.still_mine))
