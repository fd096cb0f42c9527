"""Runs as the API tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self, get_args, get_origin

from pydantic import BaseModel

from shared.contracts.messages import Costs, Metrics, Setting, Window
from shared.web.pagination import PageNumbers, sort_of
from simulation_service.domain.reach import remark
from simulation_service.domain.records import Evidence, Run, SweepRecord
from simulation_service.store import RunFilter


def _is_several(annotation: Any) -> bool:  # noqa: ANN401 - a type as pydantic tells it
    return any(get_origin(part) in {tuple, list, dict} for part in (annotation, *get_args(annotation)))


#: what runs are sorted by: their age, every figure, every parameter that is one value
SORT_COLUMNS = (
    "created_at",
    *Metrics.model_fields,
    *(name for name, field in Setting.model_fields.items() if not _is_several(field.annotation)),
)


def run_filter(
    paging: PageNumbers,
    sort: str,
    *,
    symbol: str | None = None,
    model: str | None = None,
    sweep: str | None = None,
    evidence: str | None = None,
    min_trades: int | None = None,
    min_sharpe: float | None = None,
) -> RunFilter:
    """Return the store's filter of a list's query parameters. Raises InvalidInput for a column that does not sort."""
    column, descending = sort_of(sort, SORT_COLUMNS)
    return RunFilter(
        symbol=symbol.upper() if symbol else None,
        model=model or None,
        sweep=sweep or None,
        evidence=evidence or None,
        min_trades=min_trades or 0,
        min_sharpe=min_sharpe,
        sort=column,
        descending=descending,
        limit=paging.per_page,
        offset=paging.offset,
    )


class RunOut(BaseModel):
    """One setting of a sweep and what it earned."""

    id: str
    sweep: str
    index: int
    model: str
    symbol: str
    window: Window
    evidence: Evidence
    setting: Setting
    metrics: Metrics
    costs: Costs
    starting_cash: float
    #: filled at a price that was gone when it was seen: no such fill can be had
    optimistic: bool
    created_at: datetime

    @classmethod
    def of(cls, run: Run, **more: Any) -> Self:  # noqa: ANN401 - fields of a subclass
        window = Window(start=run.window_start, end=run.window_end)
        return cls(**dict(run), window=window, optimistic=run.setting.optimistic, **more)


class RunDetailOut(RunOut):
    """A run with what its sweep fixed for all settings."""

    data_version: str
    code_version: str
    #: why it could never trade, or that its signal knows the future; else ""
    note: str

    @classmethod
    def with_sweep(cls, run: Run, sweep: SweepRecord) -> Self:
        return cls.of(
            run,
            data_version=sweep.data_version,
            code_version=sweep.code_version,
            note=remark([run.setting], sweep.signals),
        )
