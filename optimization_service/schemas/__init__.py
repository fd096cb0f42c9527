"""What the service is asked and what it answers, by noun."""

from optimization_service.schemas.batches import (
    BatchAccepted,
    BatchDetailOut,
    BatchOut,
    BatchRequest,
    HalvesOut,
    HeatmapOut,
    StudyOut,
)
from optimization_service.schemas.forms import BatchForm
from optimization_service.schemas.leaderboard import (
    ALL_TERMS,
    HeatQuery,
    LeaderboardOut,
    LeaderboardQuery,
    Row,
    leaderboard_asked,
    row_of,
)

__all__ = [
    "ALL_TERMS",
    "BatchAccepted",
    "BatchDetailOut",
    "BatchForm",
    "BatchOut",
    "BatchRequest",
    "HalvesOut",
    "HeatQuery",
    "HeatmapOut",
    "LeaderboardOut",
    "LeaderboardQuery",
    "Row",
    "StudyOut",
    "leaderboard_asked",
    "row_of",
]
