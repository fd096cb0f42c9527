"""Job handlers."""

from __future__ import annotations

from ingestion_service.domain.requests import ImportFiles, IngestBars
from ingestion_service.use_cases import Agents, Intake
from ingestion_service.use_cases.agents import Work
from shared.jobs.context import JobContext
from shared.jobs.model import Outcome


def ingest_bars(intake: Intake, ctx: JobContext) -> Outcome:
    return Outcome(result=intake.ingest(IngestBars.model_validate(ctx.payload), ctx))


def import_files(intake: Intake, ctx: JobContext) -> Outcome:
    return Outcome(result=intake.import_files(ImportFiles.model_validate(ctx.payload), ctx))


def run_agent(agents: Agents, work: Work, ctx: JobContext) -> Outcome:
    return agents.run(work, ctx)
