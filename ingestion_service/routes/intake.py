"""Asking for bars to be brought in."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from ingestion_service.domain.requests import ImportFiles
from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.intake import AcceptedIngests, EstimateAnswer, IngestForm, IngestSpan, IngestSymbols
from ingestion_service.use_cases import Estimates, Intake
from shared.web.accepted import Accepted, accepted
from shared.web.known import strict_router
from shared.web.parts import provided

router = strict_router()

IntakeDep = Annotated[Intake, Depends(provided(Intake))]
EstimatesDep = Annotated[Estimates, Depends(provided(Estimates))]


@router.post("/ingest", status_code=202)
def ingest_symbols(body: IngestSymbols, intake: IntakeDep) -> AcceptedIngests:
    requests = body.requests(body.symbols)
    if body.together:
        return AcceptedIngests.of(requests, [intake.submit_many(body.one_request())] * len(requests))
    return AcceptedIngests.of(requests, intake.submit(requests))


@router.get("/ingest/estimate")
def estimate_ingest(asked: Annotated[IngestForm, Query()], estimates: EstimatesDep) -> EstimateAnswer:
    return EstimateAnswer.of(estimates.of(asked.requests(asked.symbols)))


# a path: coins are written BTC/USD too
@router.post("/ingest/{symbol:path}", status_code=202)
def ingest_symbol(symbol: str, body: IngestSpan, intake: IntakeDep) -> Accepted:
    return accepted(intake.submit(body.requests([read_symbol(symbol)]))[0])


@router.post("/import", status_code=202)
def import_files(body: ImportFiles, intake: IntakeDep) -> Accepted:
    return accepted(intake.submit_import(body))
