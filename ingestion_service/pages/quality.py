"""What is known against the bars: gaps, refused rows, providers' drift."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from ingestion_service.use_cases import Bars, Intake, Quality
from shared.contracts.identifiers import check_symbol
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.parts import provided

router = page_router()

BarsDep = Annotated[Bars, Depends(provided(Bars))]
QualityDep = Annotated[Quality, Depends(provided(Quality))]
IntakeDep = Annotated[Intake, Depends(provided(Intake))]
#: symbols of the table on top; all of them are on the coverage page
_WORST = 50


@router.get("/quality")
@router.get("/quarantine")
def quality_page(
    request: Request,
    bars: BarsDep,
    quality: QualityDep,
    intake: IntakeDep,
    paging: PageQuery,
    symbol: str | None = None,
    reason: str | None = None,
) -> Response:
    """Show the symbols with most against them, and refused rows, narrowed to a symbol and a reason."""
    covered, _ = bars.coverage(search="", sort="symbol", offset=0, limit=1_000)
    marked = [one for one in covered if one.outage_minutes or one.silent_minutes or one.quarantined or one.filled]
    marked.sort(key=lambda one: (-(one.outage_minutes + one.silent_minutes), -one.quarantined, one.symbol))
    rows, total = quality.quarantined(check_symbol(symbol) if symbol else None, reason, paging.offset, paging.per_page)
    return render(
        request,
        "quality.html",
        symbols=len(covered),
        marked=marked[:_WORST],
        reasons=quality.reasons(),
        page=paging.of(rows, total),
        drift=intake.drift(),
        chosen={"symbol": symbol or "", "reason": reason or ""},
    )


@router.get("/quality/{symbol}")
def quality_of_symbol(symbol: str) -> Response:
    """Lead to the symbol's page, which shows it all."""
    return redirect_after_post(f"/symbols/{check_symbol(symbol)}")
