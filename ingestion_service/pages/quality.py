"""What is known against the bars: gaps, refused rows, providers' drift."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.quality import ReleaseForm
from ingestion_service.use_cases import Bars, Intake, Quality, Releasing
from ingestion_service.use_cases.releasing import Chosen
from shared.errors import InvalidInput
from shared.web.forms import SubmittedForm, check_form
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.parts import provided

router = page_router()

BarsDep = Annotated[Bars, Depends(provided(Bars))]
QualityDep = Annotated[Quality, Depends(provided(Quality))]
ReleasingDep = Annotated[Releasing, Depends(provided(Releasing))]
IntakeDep = Annotated[Intake, Depends(provided(Intake))]
#: symbols of the table on top; all of them are on the coverage page
_WORST = 50
#: symbols that are looked through for the worst: each one's bars are read once for it
_LOOKED_AT = 1_000


@router.get("/quality")
@router.get("/quarantine")
def quality_page(
    request: Request,
    bars: BarsDep,
    quality: QualityDep,
    intake: IntakeDep,
    releasing: ReleasingDep,
    paging: PageQuery,
    symbol: str | None = None,
    reason: str | None = None,
) -> Response:
    """Show the symbols with most against them, and refused rows, narrowed to a symbol and a reason."""
    covered, symbols = bars.coverage(search="", sort="symbol", offset=0, limit=_LOOKED_AT)
    marked = [one for one in covered if one.gap_minutes or one.quarantined or one.filled]
    marked.sort(key=lambda one: (-one.gap_minutes, -one.quarantined, one.symbol))
    symbol = read_symbol(symbol) if symbol else None
    refused, rows, total = quality.refused(symbol, reason, paging.offset, paging.per_page)
    return render(
        request,
        "quality.html",
        symbols=symbols,
        looked_at=len(covered),
        found=len(marked),
        marked=marked[:_WORST],
        refused=refused,
        page=paging.of(rows, total),
        released=sorted(releasing.all(symbol), key=lambda one: one.released_at, reverse=True)[:_WORST],
        drift=intake.drift(),
        chosen={"symbol": symbol or "", "reason": reason or ""},
    )


@router.post("/quarantine/{symbol}/release")
def release_row(symbol: str, submitted: SubmittedForm, releasing: ReleasingDep) -> Response:
    """Store a refused row as a bar, and show the others. Raises InvalidInput where the form is not right."""
    checked, form = read_symbol(symbol), check_form(ReleaseForm, submitted)
    if form.data is None:
        raise InvalidInput("; ".join(f"{name}: {said}" for name, said in form.errors.items()))
    asked = form.data
    releasing.release(checked, Chosen(ids=(asked.id,)), by="user", why=asked.why, replace=asked.replace)
    return redirect_after_post(f"/quality?symbol={checked}#released")


@router.get("/quality/{symbol}")
def quality_of_symbol(symbol: str) -> Response:
    """Lead to the symbol's page, which shows it all."""
    return redirect_after_post(f"/symbols/{read_symbol(symbol)}")
