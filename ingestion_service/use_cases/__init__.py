"""What ingestion does: take bars in (`intake`), show what is there (`bars`), and keep it up to date (`agents`)."""

from ingestion_service.use_cases.agents import Agents
from ingestion_service.use_cases.bars import Bars, SymbolCoverage
from ingestion_service.use_cases.intake import Intake
from ingestion_service.use_cases.monitoring import Monitoring
from ingestion_service.use_cases.retention import Retention
from ingestion_service.use_cases.watchlist import Watchlist

__all__ = ["Agents", "Bars", "Intake", "Monitoring", "Retention", "SymbolCoverage", "Watchlist"]
