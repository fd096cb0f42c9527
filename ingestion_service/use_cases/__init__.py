"""What ingestion does: take bars in (`intake`), and show what is there (`bars`)."""

from ingestion_service.use_cases.bars import Bars, SymbolCoverage
from ingestion_service.use_cases.intake import Intake

__all__ = ["Bars", "Intake", "SymbolCoverage"]
