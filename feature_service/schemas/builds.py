"""What is answered about builds."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from feature_service.domain.records import BuildCounts, BuildEntry, Definition


class BuildOut(BaseModel):
    """A finished build: of `months` asked for, `hits` were there already and `misses` were made, in `seconds`."""

    job_id: int
    feature_set: str
    symbol: str
    months: int
    hits: int
    misses: int
    fits_made: int
    fits_reused: int
    rows: int
    seconds: float | None
    created_at: datetime

    @classmethod
    def of(cls, entry: BuildEntry) -> Self:
        return cls.model_validate(entry, from_attributes=True)


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


class DefinitionOut(BaseModel):
    """What made a stored column."""

    name: str
    version: int
    parameters_hash: str
    parameters: dict[str, int | float]
    source: str
    formula: str
    stored: str
    created_at: datetime

    @classmethod
    def of(cls, definition: Definition) -> Self:
        return cls.model_validate(definition, from_attributes=True)
