"""What is answered about built columns."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import numpy as np
from pydantic import BaseModel

from feature_service.domain.statistics import ColumnStatistics
from feature_service.use_cases.statistics import Described


class DescribedOut(BaseModel):
    """A set as built for one symbol."""

    symbol: str
    feature_set: str
    horizon: int
    rows: int
    first_ts: datetime
    last_ts: datetime
    complete: float
    complete_rows: float
    columns: list[ColumnStatistics]

    @classmethod
    def of(cls, described: Described) -> Self:
        return cls.model_validate(described, from_attributes=True)


class CorrelationOut(BaseModel):
    """Rank correlations, rows and columns in the order of `columns`; null where a column is constant or empty."""

    columns: list[str]
    correlation: list[list[float | None]]

    @classmethod
    def of(cls, described: Described) -> Self:
        values = [[None if np.isnan(one) else float(one) for one in row] for row in described.correlation]
        return cls(columns=[one.name for one in described.columns], correlation=values)
