"""What is answered about builds."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from feature_service.domain.records import BuildCounts


class CountsOut(BaseModel):
    """All builds together; `blocks_made_twice` is 0 when each matrix was computed at most once."""

    builds: int
    hits: int
    misses: int
    hit_share: float | None
    fits_made: int
    fits_reused: int
    rows_made: int
    seconds: float
    blocks_made_twice: int

    @classmethod
    def of(cls, counts: BuildCounts) -> Self:
        return cls.model_validate(counts, from_attributes=True)
