"""Runs beside each other over JSON."""

from __future__ import annotations

from shared.web.known import strict_router
from simulation_service.deps import AskedRuns, CompareDep
from simulation_service.views import Comparison, comparison, growth

router = strict_router()


@router.get("/compare")
def compare_runs(compare: CompareDep, asked: AskedRuns) -> Comparison:
    """Compare 2 to 8 runs: figures, parameters that differ, overlap of what was held, correlation of daily returns."""
    found = compare.of(asked)
    return comparison(found.runs, found.daily, found.held)


@router.get("/compare/growth")
def compare_growth(compare: CompareDep, asked: AskedRuns) -> dict[str, list[float | None]]:
    """Return what 1 became in each run by session, in columns for a chart."""
    return growth(compare.daily(asked))
