"""What is answered about built columns."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import numpy as np
from pydantic import BaseModel

from feature_service.domain.statistics import LabelShare
from feature_service.use_cases.builds import Replay
from feature_service.use_cases.statistics import Described


class ColumnOut(BaseModel):
    """One column: `psi` above 0.25 has drifted, `ic` is a rank correlation with the return to come."""

    name: str
    group: str
    missing: float
    mean: float | None
    sd: float | None
    constant: bool
    psi: float | None
    ic: float | None
    ic_t: float | None
    cluster: int


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
    columns: list[ColumnOut]

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


class LabelOut(BaseModel):
    """One state of a regime: rows with a label, and the share of those after which the price rose and fell."""

    regime: str
    state: int
    name: str
    rows: int
    share: float
    up: float | None
    down: float | None
    mean: float | None
    sd: float | None

    @classmethod
    def of(cls, share: LabelShare) -> Self:
        return cls.model_validate(share, from_attributes=True)


class ReplayOut(BaseModel):
    """`agrees` is null when the bars have changed since the block was built."""

    month: str
    rows: int
    agrees: bool | None

    @classmethod
    def of(cls, replay: Replay) -> Self:
        return cls.model_validate(replay, from_attributes=True)
