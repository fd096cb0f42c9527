"""The JSON interface."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime

from shared.contracts.messages import Sweep
from shared.web.accepted import Accepted, accepted
from shared.web.pagination import Page, PageNumbers, PageQuery
from shared.web.service import provided
from shared.web.tables import TableFormat, table_response
from simulation_service.schemas import RunDetailOut, RunOut, SweepOut, SweepSummary, run_filter
from simulation_service.use_cases import Runs, Sweeps
from simulation_service.views import candles, curve

router = APIRouter()

#: a CSV holds every filtered run, up to this many
_CSV_ROWS = 100_000

SweepsDep = Annotated[Sweeps, Depends(provided(Sweeps))]
RunsDep = Annotated[Runs, Depends(provided(Runs))]
FormatQuery = Annotated[TableFormat, Query(alias="format")]


@router.post("/simulate", status_code=202)
def submit_sweep(body: Sweep, sweeps: SweepsDep) -> Accepted:
    """Simulate a model's predictions under each setting; the job's result names the sweep."""
    return accepted(sweeps.submit(body))


@router.get("/sweeps")
def list_sweeps(
    sweeps: SweepsDep, paging: PageQuery, symbol: str | None = None, model: str | None = None
) -> Page[SweepSummary]:
    """List sweeps, newest first."""
    found, total = sweeps.page(symbol=symbol, model=model, limit=paging.per_page, offset=paging.offset)
    return paging.of([SweepSummary.of(record) for record in found], total)


@router.get("/sweeps/{fingerprint}")
def show_sweep(fingerprint: str, sweeps: SweepsDep) -> SweepOut:
    """Return one sweep with all its runs."""
    view = sweeps.view(fingerprint)
    return SweepOut.of(view.record, view.runs)


@router.get("/runs")
def list_runs(
    runs: RunsDep,
    paging: PageQuery,
    sort: str = "-created_at",
    symbol: str | None = None,
    model: str | None = None,
    sweep: str | None = None,
    min_trades: Annotated[int, Query(ge=0)] = 0,
) -> Page[RunOut]:
    """List runs, sorted by any figure (`sort=-sharpe`); undefined figures come last."""
    wanted = run_filter(paging, sort, symbol=symbol, model=model, sweep=sweep, min_trades=min_trades)
    found, total = runs.page(wanted)
    return paging.of([RunOut.of(run) for run in found], total)


@router.get("/runs.csv", response_class=Response)
def download_runs(
    runs: RunsDep,
    sort: str = "-created_at",
    symbol: str | None = None,
    model: str | None = None,
    sweep: str | None = None,
    min_trades: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Return the filtered runs, all pages of them, each parameter and figure in its own column."""
    everything = PageNumbers(per_page=_CSV_ROWS)
    wanted = run_filter(everything, sort, symbol=symbol, model=model, sweep=sweep, min_trades=min_trades)
    frame = pl.DataFrame([asdict(run) for run in runs.page(wanted)[0]], infer_schema_length=None)
    return table_response(frame, "csv", "runs")


@router.get("/runs/{run_id}")
def show_run(run_id: str, runs: RunsDep) -> RunDetailOut:
    """Return one run: its setting, costs and figures."""
    run, sweep = runs.with_sweep(run_id)
    return RunDetailOut.with_sweep(run, sweep)


@router.get("/runs/{run_id}/trades", response_class=Response)
def run_trades(run_id: str, runs: RunsDep, kind: FormatQuery = "json") -> Response:
    """Return every trade of a run, simulated again from the stored bars and predictions."""
    return table_response(runs.detail(run_id).trades, kind, f"trades-{run_id}")


@router.get("/runs/{run_id}/curve")
def run_curve(run_id: str, runs: RunsDep) -> dict[str, list[float | None]]:
    """Return the account in columns for a chart, thinned to what a screen can show."""
    return curve(runs.detail(run_id))


@router.get("/runs/{run_id}/candles")
def run_candles(
    run_id: str,
    runs: RunsDep,
    start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
) -> dict[str, Any]:
    """Return at most 2,000 candles with the run's trades; `from` and `to` as ISO 8601 or seconds since 1970."""
    return candles(runs.detail(run_id), start, end)


@router.get("/runs/{run_id}/equity", response_class=Response)
def run_equity(run_id: str, runs: RunsDep, kind: FormatQuery = "json") -> Response:
    """Return the account after every bar of a run."""
    return table_response(runs.detail(run_id).equity, kind, f"equity-{run_id}")
