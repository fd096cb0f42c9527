"""How ingestion is doing."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from ingestion_service.use_cases import Monitoring
from ingestion_service.use_cases.monitoring import Overview
from shared.web.known import strict_router
from shared.web.parts import provided

router = strict_router(tags=["monitoring"])

MonitoringDep = Annotated[Monitoring, Depends(provided(Monitoring))]


@router.get("/monitoring")
def show_monitoring(monitoring: MonitoringDep) -> Overview:
    """Agents with state and heartbeat, errors by class, how far symbols lag, bytes by dataset."""
    return monitoring.overview()
