"""Runs beside each other: figures and their differences, parameters that differ, overlap, growth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel

from shared.contracts.backtests import Metrics, Setting
from simulation_service.domain.records import Run, SweepRecord


class Figure(BaseModel):
    """One figure of every run, and how far each is from the first run's."""

    name: str
    values: list[float | None]
    differences: list[float | None]


class Parameter(BaseModel):
    """One parameter that not all runs share."""

    name: str
    values: list[Any]


class Comparison(BaseModel):
    """Runs beside each other, in the order they were named.

    overlap : for each two runs, of the bars that either held the share both held on the same side; None where a
        run's trades cannot be shown again, or neither held any. correlation : of daily returns, None where undefined.
    """

    runs: list[str]
    figures: list[Figure]
    parameters: list[Parameter]
    overlap: list[list[float | None]]
    correlation: list[list[float | None]]


def comparison(
    runs: Sequence[tuple[Run, SweepRecord]], daily: Sequence[pl.DataFrame], held: Sequence[pl.DataFrame | None]
) -> Comparison:
    """Return the comparison of runs.

    daily : their rows of the trial ledger; held : ts and side (-1, 0, 1) of every bar, None where unknown
    """
    metrics = [run.metrics.model_dump() for run, _ in runs]
    asked = [_parameters(run, sweep) for run, sweep in runs]
    return Comparison(
        runs=[run.id for run, _ in runs],
        figures=[_figure(name, [one[name] for one in metrics]) for name in Metrics.model_fields],
        parameters=[
            Parameter(name=name, values=[one[name] for one in asked])
            for name in asked[0]
            if len({str(one[name]) for one in asked}) > 1
        ],
        overlap=[[_overlap(one, other) for other in held] for one in held],
        correlation=[[_correlation(one, other) for other in daily] for one in daily],
    )


def growth(daily: Sequence[pl.DataFrame]) -> dict[str, list[float | None]]:
    """Return what 1 became in each run by session, as columns for a chart: time, run_0, run_1, ..."""
    table = daily[0].select("session").clear()
    for number, one in enumerate(daily):
        grown = one.select("session", (1 + pl.col("daily_return")).cum_prod().alias(f"run_{number}"))
        table = table.join(grown, on="session", how="full", coalesce=True)
    table = table.sort("session").with_columns(pl.col("session").cast(pl.Datetime("us")).dt.epoch("s").alias("time"))
    return table.select("time", pl.selectors.starts_with("run_")).to_dict(as_series=False)


def _parameters(run: Run, sweep: SweepRecord) -> dict[str, Any]:
    return {
        "model": run.model,
        "symbol": run.symbol,
        "evidence": run.evidence,
        "window_start": run.window_start,
        "window_end": run.window_end,
        "starting_cash": sweep.starting_cash,
        **sweep.costs.model_dump(mode="json"),
        **{name: run.setting.model_dump(mode="json")[name] for name in Setting.model_fields},
    }


def _figure(name: str, values: list[float | None]) -> Figure:
    first = values[0]
    return Figure(
        name=name,
        values=values,
        differences=[None if value is None or first is None else value - first for value in values],
    )


def _overlap(one: pl.DataFrame | None, other: pl.DataFrame | None) -> float | None:
    if one is None or other is None:
        return None
    both = one.join(other, on="ts", how="inner", suffix="_other")
    either = both.filter((pl.col("side") != 0) | (pl.col("side_other") != 0))
    return None if either.is_empty() else float((either["side"] == either["side_other"]).sum()) / either.height


def _correlation(one: pl.DataFrame, other: pl.DataFrame) -> float | None:
    both = one.join(other, on="session", how="inner", suffix="_other")
    first, second = (both[name].to_numpy() for name in ("daily_return", "daily_return_other"))
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])
