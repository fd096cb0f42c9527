"""Runs over JSON, CSV and Parquet."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import AwareDatetime

from shared.web.known import strict_router
from shared.web.pagination import Page, PageNumbers, PageQuery
from shared.web.tables import TableFormat, table_response
from simulation_service.deps import AskedQuery, RunsDep
from simulation_service.schemas import RunDetailOut, RunOut, run_filter
from simulation_service.views import candles, curve, runs_frame

router = strict_router()

#: a CSV holds every filtered run, up to this many
_CSV_ROWS = 100_000

FormatQuery = Annotated[TableFormat, Query(alias="format")]


@router.get("/runs")
def list_runs(runs: RunsDep, paging: PageQuery, asked: AskedQuery) -> Page[RunOut]:
    """List runs, sorted by any figure or parameter (`sort=-sharpe`); undefined figures come last."""
    found, total = runs.page(run_filter(paging, **dict(asked)))
    return paging.of([RunOut.of(run) for run in found], total)


@router.get("/runs.csv", response_class=Response)
def download_runs(runs: RunsDep, asked: AskedQuery) -> Response:
    """Return the filtered runs, all pages of them, each parameter and figure in its own column."""
    found, _ = runs.page(run_filter(PageNumbers(per_page=_CSV_ROWS), **dict(asked)))
    return table_response(runs_frame(found), "csv", "runs")


@router.get("/runs/{run_id}")
def show_run(run_id: str, runs: RunsDep) -> RunDetailOut:
    """Return one run: its setting, costs and figures."""
    run, sweep = runs.with_sweep(run_id)
    return RunDetailOut.with_sweep(run, sweep)


@router.get("/runs/{run_id}/trades", response_class=Response)
def run_trades(run_id: str, runs: RunsDep, kind: FormatQuery = "json") -> Response:
    """Return every trade of a run, simulated again from the stored bars and predictions."""
    return table_response(runs.detail(run_id).trades, kind, f"trades-{run_id}")


@router.get("/runs/{run_id}/equity", response_class=Response)
def run_equity(run_id: str, runs: RunsDep, kind: FormatQuery = "json") -> Response:
    """Return the account after every bar of a run."""
    return table_response(runs.detail(run_id).equity, kind, f"equity-{run_id}")


@router.get("/runs/{run_id}/daily", response_class=Response)
def run_daily(run_id: str, runs: RunsDep, kind: FormatQuery = "json") -> Response:
    """Return the run's rows of the trial ledger, as stored: each session's return and timing alpha."""
    return table_response(runs.daily(run_id), kind, f"daily-{run_id}")


@router.get("/runs/{run_id}/months", response_class=Response)
def run_months(run_id: str, runs: RunsDep, kind: FormatQuery = "json") -> Response:
    """Return the run by month: return beside buy and hold, trades, win rate, exposure, costs."""
    return table_response(runs.months(runs.detail(run_id)), kind, f"months-{run_id}")


@router.get("/runs/{run_id}/regimes", response_class=Response)
def run_regimes(run_id: str, runs: RunsDep, kind: FormatQuery = "json") -> Response:
    """Return the run by regime, for the regimes its setting names and every regime_* column of the symbol."""
    return table_response(runs.regimes(runs.detail(run_id)), kind, f"regimes-{run_id}")


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
