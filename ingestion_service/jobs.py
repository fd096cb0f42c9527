"""Job handlers."""

from __future__ import annotations

from ingestion_service.domain.requests import CompareBars, FetchActions, FillGaps, ImportFiles, IngestBars, IngestMany
from ingestion_service.use_cases import ActionIntake, Agents, Comparing, Filler, Intake, Monitoring
from ingestion_service.use_cases.agents import Work
from shared.jobs.context import Handler, JobContext
from shared.jobs.model import LeaseLost, Outcome


def counted(monitoring: Monitoring, where: str, handler: Handler, ctx: JobContext) -> Outcome:
    """Run a handler; what it raises is counted by class, but not that somebody called the job off."""
    try:
        return handler(ctx)
    except LeaseLost:
        raise
    except Exception as error:
        monitoring.met(where, error)
        raise


def ingest_bars(intake: Intake, ctx: JobContext) -> Outcome:
    return Outcome(result=intake.ingest(IngestBars.model_validate(ctx.payload), ctx))


def ingest_many(intake: Intake, ctx: JobContext) -> Outcome:
    return Outcome(result=intake.ingest_many(IngestMany.model_validate(ctx.payload), ctx))


def fetch_actions(intake: ActionIntake, ctx: JobContext) -> Outcome:
    return Outcome(result=intake.run(FetchActions.model_validate(ctx.payload), ctx))


def import_files(intake: Intake, ctx: JobContext) -> Outcome:
    return Outcome(result=intake.import_files(ImportFiles.model_validate(ctx.payload), ctx))


def fill_gaps(filler: Filler, ctx: JobContext) -> Outcome:
    return Outcome(result=filler.run(FillGaps.model_validate(ctx.payload), ctx))


def compare_bars(comparing: Comparing, ctx: JobContext) -> Outcome:
    return Outcome(result=comparing.run(CompareBars.model_validate(ctx.payload), ctx))


def run_agent(agents: Agents, work: Work, ctx: JobContext) -> Outcome:
    return agents.run(work, ctx)
