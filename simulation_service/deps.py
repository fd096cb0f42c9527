"""Parameter types of routes and pages: the use cases, and what an address may ask for."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import BaseModel, BeforeValidator, Field

from shared.web.service import provided
from simulation_service.domain.records import Evidence
from simulation_service.use_cases import Compare, Runs, SignalSeries, Stress, Sweeps

SweepsDep = Annotated[Sweeps, Depends(provided(Sweeps))]
RunsDep = Annotated[Runs, Depends(provided(Runs))]
SignalsDep = Annotated[SignalSeries, Depends(provided(SignalSeries))]
StressDep = Annotated[Stress, Depends(provided(Stress))]
CompareDep = Annotated[Compare, Depends(provided(Compare))]


_Optional = BeforeValidator(lambda value: None if value == "" else value)


class RunsAsked(BaseModel):
    """Which runs, in which order."""

    sort: str = "-created_at"
    symbol: str | None = None
    model: str | None = None
    sweep: str | None = None
    # a form sends what was left empty as ""
    evidence: Annotated[Evidence | None, _Optional] = None
    min_trades: Annotated[int | None, Field(ge=0), _Optional] = None
    min_sharpe: Annotated[float | None, Field(allow_inf_nan=False), _Optional] = None

    @property
    def address(self) -> str:
        """The query that asks for the same runs in the same order."""
        return urlencode(self.model_dump(mode="json", exclude_defaults=True))


class AxesAsked(BaseModel):
    """Which two parameters span a heatmap of which figure; "" leaves the choice to the page."""

    x: str = ""
    y: str = ""
    figure: str = "sharpe"


def asked_runs(run: Annotated[list[str] | None, Query()] = None, ids: str = "") -> list[str]:
    """Return the runs named by `run=a&run=b`, or `ids=a,b` as the pages' checkboxes write it."""
    return [*(run or []), *(one for one in ids.split(",") if one)]


AskedQuery = Annotated[RunsAsked, Depends()]
AskedAxes = Annotated[AxesAsked, Depends()]
AskedRuns = Annotated[list[str], Depends(asked_runs)]
