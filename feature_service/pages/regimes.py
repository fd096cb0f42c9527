"""The page of a symbol's regimes over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from feature_service.domain.regimes.timeline import Span
from feature_service.pages.views import shown_set, unbuilt
from feature_service.use_cases import Features, Together
from shared.contracts.regimes import REGIMES, state_name
from shared.web.pages import page_router, render
from shared.web.service import provided

router = page_router()

FeaturesDep = Annotated[Features, Depends(provided(Features))]
TogetherDep = Annotated[Together, Depends(provided(Together))]


@dataclass(frozen=True)
class State:
    """One state of a regime: its share of all rows, how often it was entered, and how long it lasted on average."""

    number: int
    name: str
    share: float
    spans: int
    length: float | None


@router.get("/regimes/{symbol}")
def regimes_page(
    request: Request, symbol: str, features: FeaturesDep, together: TogetherDep, feature_set: str = ""
) -> Response:
    shown = shown_set(features, symbol, feature_set, tuple(REGIMES))
    if shown is None:
        return unbuilt(request, features, symbol, "regimes", "regime")
    having = [one for one in features.built(symbol) if set(REGIMES) <= set(features.columns(one.feature_set, symbol))]
    found = together.regimes(symbol, shown.feature_set)
    return render(
        request,
        "regimes.html",
        symbol=shown.symbol,
        built=shown,
        sets=having,
        tables={name: _states(name, spans) for name, spans in found.items()},
    )


def _states(regime: str, spans: list[Span]) -> list[State]:
    rows = sum(span.rows for span in spans)
    states: list[State] = []
    for number in range(-1, len(REGIMES[regime])):
        held = [span.rows for span in spans if span.label == number]
        length = sum(held) / len(held) if held else None
        states.append(State(number, state_name(regime, number), sum(held) / rows, len(held), length))
    return states
