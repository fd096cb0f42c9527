"""What is known against the bars: gaps, refused rows, providers' drift."""

from __future__ import annotations

from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.quality import ReleaseAllForm, ReleaseForm
from ingestion_service.use_cases import Bars, Intake, Quality, Releasing
from ingestion_service.use_cases.releasing import Chosen
from shared.errors import InvalidInput
from shared.web.forms import Form, SubmittedForm, check_form
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.parts import provided

router = page_router()
M = TypeVar("M", bound=BaseModel)

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
        releasable=len(releasing.releasable(symbol, reason)) if symbol else 0,
        released=sorted(releasing.all(symbol), key=lambda one: one.released_at, reverse=True)[:_WORST],
        drift=intake.drift(),
        chosen={"symbol": symbol or "", "reason": reason or ""},
    )


@router.post("/quarantine/{symbol}/release")
def release_row(request: Request, symbol: str, submitted: SubmittedForm, releasing: ReleasingDep) -> Response:
    """Store a refused row as a bar, and show the others as they were shown (the query is that of the page).

    Raises InvalidInput where the form is not right.
    """
    asked = _right(check_form(ReleaseForm, submitted))
    releasing.release(read_symbol(symbol), Chosen(ids=(asked.id,)), by="user", why=asked.why, replace=asked.replace)
    return redirect_after_post(f"{_shown(request, 'symbol', 'reason', 'page', 'per_page')}#refused-rows")


@router.post("/quality/{symbol}/release")
def release_all(request: Request, symbol: str, submitted: SubmittedForm, releasing: ReleasingDep) -> Response:
    """Store all refused rows of a symbol that the page's filter leaves and that can be bars; raises as above."""
    asked = _right(check_form(ReleaseAllForm, submitted))
    releasing.release_all(
        read_symbol(symbol), asked.reason, asked.rows, by="user", why=asked.why, replace=asked.replace
    )
    return redirect_after_post(f"{_shown(request, 'symbol', 'reason')}#released")


def _shown(request: Request, *names: str) -> str:
    """Return the address of the page with those of its parameters that it was shown with."""
    query = urlencode({name: request.query_params[name] for name in names if name in request.query_params})
    return f"/quality?{query}" if query else "/quality"


def _right(form: Form[M]) -> M:
    if form.data is None:
        raise InvalidInput("; ".join(f"{name}: {said}" for name, said in form.errors.items()))
    return form.data


@router.get("/quality/{symbol}")
def quality_of_symbol(symbol: str) -> Response:
    """Lead to the symbol's page, which shows it all."""
    return redirect_after_post(f"/symbols/{read_symbol(symbol)}")
