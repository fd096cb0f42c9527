"""What is known against the bars: gaps, refused rows, providers' drift."""

from __future__ import annotations

from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.quality import ReleaseAllForm, ReleaseForm
from ingestion_service.use_cases import Intake, Quality, Releasing
from ingestion_service.use_cases.releasing import Chosen
from shared.errors import InvalidInput
from shared.web.columns import PREFIX
from shared.web.forms import Form, SubmittedForm, check_form
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.parts import provided

router = page_router()
M = TypeVar("M", bound=BaseModel)

QualityDep = Annotated[Quality, Depends(provided(Quality))]
ReleasingDep = Annotated[Releasing, Depends(provided(Releasing))]
IntakeDep = Annotated[Intake, Depends(provided(Intake))]
#: rows of the tables beside the refused rows; their CSV has all
_WORST = 50


@router.get("/quality")
@router.get("/quarantine")
def quality_page(
    request: Request,
    quality: QualityDep,
    intake: IntakeDep,
    releasing: ReleasingDep,
    paging: PageQuery,
    symbol: str | None = None,
    reason: str | None = None,
) -> Response:
    """Show the symbols with most against them, and refused rows, narrowed to a symbol and a reason."""
    marked = quality.marked()
    symbol = read_symbol(symbol) if symbol else None
    refused, rows, total = quality.refused(symbol, reason, paging.offset, paging.per_page)
    return render(
        request,
        "quality.html",
        symbols=marked.symbols,
        looked_at=marked.looked_at,
        found=len(marked.found),
        marked=marked.found[:_WORST],
        refused=refused,
        page=paging.of(rows, total),
        releasable=len(releasing.releasable(symbol, reason)) if symbol else 0,
        released=releasing.newest(symbol)[:_WORST],
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
    """Return the address of the page with those of its parameters that it was shown with, and its columns."""
    asked = request.query_params.multi_items()
    query = urlencode([(name, value) for name, value in asked if name in names or name.startswith(PREFIX)])
    return f"/quality?{query}" if query else "/quality"


def _right(form: Form[M]) -> M:
    if form.data is None:
        raise InvalidInput("; ".join(f"{name}: {said}" for name, said in form.errors.items()))
    return form.data


@router.get("/quality/{symbol}")
def quality_of_symbol(symbol: str) -> Response:
    """Lead to the symbol's page, which shows it all."""
    return redirect_after_post(f"/symbols/{read_symbol(symbol)}")
