"""Statistics of built columns over JSON, and one column beside its candles."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from feature_service.domain.statistics import LabelShare
from feature_service.schemas.asking import ChartAsked
from feature_service.schemas.statistics import CorrelationOut, DescribedOut
from feature_service.use_cases import Builds, Statistics
from feature_service.use_cases.builds import Replay
from shared.web.known import strict_router
from shared.web.service import provided

router = strict_router()

StatisticsDep = Annotated[Statistics, Depends(provided(Statistics))]
BuildsDep = Annotated[Builds, Depends(provided(Builds))]
Horizon = Annotated[int, Query(ge=1, le=389, description="bars ahead that the information coefficient looks")]


@router.get("/sets/{name}/statistics")
def describe_set(
    name: str, symbol: str, statistics: StatisticsDep, horizon: Horizon = 15, sort: str | None = None
) -> DescribedOut:
    """Return missing, mean, sd, drift, information coefficient and cluster of each column as built for a symbol.

    `sort` is one of those, with a minus before it falling; without it columns stand in the order of the set.
    """
    return DescribedOut.of(statistics.described(symbol, name, horizon), sort)


@router.get("/sets/{name}/correlation")
def correlate_set(name: str, symbol: str, statistics: StatisticsDep) -> CorrelationOut:
    """Return the rank correlations of a set's columns as built for a symbol."""
    return CorrelationOut.of(statistics.described(symbol, name, 15))


@router.get("/sets/{name}/labels")
def balance_labels(name: str, symbol: str, statistics: StatisticsDep, horizon: Horizon = 15) -> list[LabelShare]:
    """Return by state of each regime how often the price rose and fell over the next `horizon` bars."""
    return statistics.labels(symbol, name, horizon)


@router.get("/sets/{name}/replay")
def replay_set(name: str, symbol: str, builds: BuildsDep) -> Replay:
    """Compute half of the newest block from what was known then; `agrees` tells whether it is what is stored."""
    return builds.replay(symbol.upper(), name)


@router.get("/features/{symbol}/candles")
def chart_beside_candles(
    symbol: str, statistics: StatisticsDep, asked: Annotated[ChartAsked, Query()]
) -> dict[str, str | list[float | None]]:
    """Return at most 2,000 candles and a column's last value in each."""
    return statistics.beside_candles(symbol, asked.column, asked.wanted)
