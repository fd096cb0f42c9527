"""The page of a symbol's regimes over time."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from feature_service.use_cases import Features, Together
from shared.contracts.regimes import REGIMES
from shared.web.pages import page_router, render
from shared.web.service import provided

router = page_router()

FeaturesDep = Annotated[Features, Depends(provided(Features))]
TogetherDep = Annotated[Together, Depends(provided(Together))]


@router.get("/regimes/{symbol}")
def regimes_page(
    request: Request, symbol: str, features: FeaturesDep, together: TogetherDep, feature_set: str = "regime"
) -> Response:
    symbol = symbol.upper()
    found = together.regimes(symbol, feature_set)
    built, _ = features.coverage(name=feature_set, symbol=symbol, limit=1)
    tables = []
    for name, spans in found.items():
        rows = sum(span.rows for span in spans)
        words = ("unknown", *REGIMES[name])
        of = [[span.rows for span in spans if span.label == label] for label in range(-1, len(words) - 1)]
        tables.append(
            (
                name,
                [
                    (label - 1, words[label], sum(held) / rows, len(held), sum(held) / len(held) if held else None)
                    for label, held in enumerate(of)
                ],
            )
        )
    return render(request, "regimes.html", symbol=symbol, built=built[0] if built else None, tables=tables)
