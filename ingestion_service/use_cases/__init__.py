"""What ingestion does: take bars in (`intake`), show what is there (`bars`), and keep it up to date (`agents`)."""

from ingestion_service.use_cases.actions import Actions
from ingestion_service.use_cases.agents import Agents
from ingestion_service.use_cases.bars import Bars, SymbolCoverage
from ingestion_service.use_cases.comparing import Comparing
from ingestion_service.use_cases.estimates import Estimates
from ingestion_service.use_cases.fetch_actions import ActionIntake
from ingestion_service.use_cases.filler import Filler
from ingestion_service.use_cases.intake import Intake
from ingestion_service.use_cases.monitoring import Monitoring
from ingestion_service.use_cases.quality import Quality
from ingestion_service.use_cases.releasing import Releasing
from ingestion_service.use_cases.retention import Retention
from ingestion_service.use_cases.watchlist import Watchlist

__all__ = [
    "ActionIntake",
    "Actions",
    "Agents",
    "Bars",
    "Comparing",
    "Estimates",
    "Filler",
    "Intake",
    "Monitoring",
    "Quality",
    "Releasing",
    "Retention",
    "SymbolCoverage",
    "Watchlist",
]
