"""The page of one symbol: figures, candles with gaps shaded, gaps with refill, checks, stored months."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from ingestion_service.domain.requests import FillGaps
from ingestion_service.use_cases import Bars, Filler, Quality
from shared.contracts.identifiers import check_symbol
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.parts import provided

router = page_router()

BarsDep = Annotated[Bars, Depends(provided(Bars))]
QualityDep = Annotated[Quality, Depends(provided(Quality))]
FillerDep = Annotated[Filler, Depends(provided(Filler))]


@router.get("/symbols/{symbol}")
def symbol_page(request: Request, symbol: str, bars: BarsDep, quality: QualityDep, paging: PageQuery) -> Response:
    """All that is stored of a symbol and all that is known against it."""
    found = bars.stock(check_symbol(symbol))
    gaps = [gap for gap in quality.gaps(found.symbol) if gap.why.is_gap][::-1]
    return render(
        request,
        "symbol.html",
        report=quality.report(found.symbol),
        files=found.files[::-1],
        page=paging.of(gaps[paging.offset : paging.offset + paging.per_page], len(gaps)),
    )


@router.post("/backfill/{symbol}")
def refill(symbol: str, filler: FillerDep) -> Response:
    """Ask again for the gaps, then make bars up for what is left; show the job."""
    return redirect_after_post(f"/jobs/{filler.submit(FillGaps(symbol=check_symbol(symbol)))}")


@router.post("/backfill/{symbol}/drop")
def drop_filled(symbol: str, filler: FillerDep) -> Response:
    """Drop the bars made up for gaps."""
    filler.drop(check_symbol(symbol), None, None)
    return redirect_after_post(f"/symbols/{check_symbol(symbol)}")
