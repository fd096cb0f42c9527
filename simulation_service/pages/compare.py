"""The page of runs beside each other."""

from __future__ import annotations

from fastapi import Request, Response

from shared.web.pages import page_router, render
from simulation_service.deps import AskedRuns, CompareDep
from simulation_service.views import comparison

router = page_router()


@router.get("/compare")
def compare_page(request: Request, compare: CompareDep, asked: AskedRuns) -> Response:
    if len(set(asked)) < 2:
        return render(request, "compare.html", found=None, runs=[], asked=asked)
    found = compare.of(asked)
    shown = comparison(found.runs, found.daily, found.held)
    return render(request, "compare.html", found=shown, runs=[run for run, _ in found.runs], asked=asked)
