"""The page of one symbol."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from ingestion_service.use_cases import Bars
from shared.contracts.identifiers import check_symbol
from shared.web.pages import page_router, render
from shared.web.parts import provided

router = page_router()

BarsDep = Annotated[Bars, Depends(provided(Bars))]


@router.get("/symbols/{symbol}")
def symbol_page(request: Request, symbol: str, bars: BarsDep) -> Response:
    found = bars.stock(check_symbol(symbol))
    return render(request, "symbol.html", covered=bars.coverage_of(found.symbol), files=found.files[::-1])
