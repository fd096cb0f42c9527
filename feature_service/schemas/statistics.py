"""What is answered about built columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

import numpy as np
from pydantic import BaseModel

from feature_service.domain.statistics import ColumnStatistics
from feature_service.use_cases.statistics import Described
from shared.web.pagination import sort_of

_SORTS = ("name", "group", "missing", "mean", "sd", "psi", "ic", "cluster")


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
    def of(cls, described: Described, sort: str | None = None) -> Self:
        answer = cls.model_validate(described, from_attributes=True)
        return answer.model_copy(update={"columns": sorted_columns(described.columns, sort)}) if sort else answer


class CorrelationOut(BaseModel):
    """Rank correlations, rows and columns in the order of `columns`; null where a column is constant or empty."""

    columns: list[str]
    correlation: list[list[float | None]]

    @classmethod
    def of(cls, described: Described) -> Self:
        values = [[None if np.isnan(one) else float(one) for one in row] for row in described.correlation]
        return cls(columns=[one.name for one in described.columns], correlation=values)


def sorted_columns(columns: Sequence[ColumnStatistics], sort: str) -> list[ColumnStatistics]:
    """Return the columns by one of their figures; those without it come last."""
    key, descending = sort_of(sort, _SORTS)

    if key in {"name", "group"}:
        return sorted(columns, key=lambda one: getattr(one, key), reverse=descending)

    def place(one: ColumnStatistics) -> tuple[bool, float]:
        value: float | None = getattr(one, key)
        if value is None:
            return True, 0.0
        size = abs(value) if key == "ic" else value  # a negative coefficient is worth as much as a positive one
        return False, -size if descending else size

    return sorted(columns, key=place)
