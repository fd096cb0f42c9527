"""Job handlers."""

from __future__ import annotations

from ingestion_service.domain.requests import ImportFiles, IngestBars
from ingestion_service.use_cases import Intake
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome


def ingest_bars(intake: Intake, ctx: JobContext) -> Outcome:
    return Outcome(result=intake.ingest(IngestBars.model_validate(ctx.payload), ctx))


def import_files(intake: Intake, ctx: JobContext) -> Outcome:
    return Outcome(result=intake.import_files(ImportFiles.model_validate(ctx.payload), ctx))
