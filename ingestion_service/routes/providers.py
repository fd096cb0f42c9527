"""Who provides market data, what they were asked, and how their answers changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from ingestion_service.domain.drift import SeenDrift
from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.providers import AsksAnswer
from ingestion_service.store.providers import Status
from ingestion_service.use_cases import Intake
from shared.web.known import strict_router
from shared.web.parts import provided

router = strict_router()

IntakeDep = Annotated[Intake, Depends(provided(Intake))]


@router.get("/providers")
def list_providers(intake: IntakeDep) -> list[Status]:
    """Who can be asked, those asked by default first; what the others lack."""
    return intake.providers.status()


@router.get("/drift")
def list_drift(intake: IntakeDep) -> list[SeenDrift]:
    """Fields of providers' answers that are new, missing or of another type than documented, newest first."""
    return intake.drift()


@router.get("/asks/{symbol}")
def show_asks(symbol: str, intake: IntakeDep) -> AsksAnswer:
    """Which spans of the symbol each provider answered, and which it was asked in vain."""
    checked = read_symbol(symbol)
    answered, failed = intake.asks(checked)
    return AsksAnswer(symbol=checked, chain=intake.providers.chain_of(checked), answered=answered, failed=failed)
