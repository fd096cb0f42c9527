"""Several symbols on one clock, episodes, regimes over time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from feature_service.domain.episodes import option
from feature_service.schemas.together import ColumnsOut, FoldOut, OptionOut, RegimeOut, SymbolOut
from feature_service.use_cases import Together
from feature_service.use_cases.together import Join
from shared.contracts.messages import Folds, Instant
from shared.web.service import provided
from shared.web.tables import TableFormat, table_response

router = APIRouter()

TogetherDep = Annotated[Together, Depends(provided(Together))]


def folds_asked(
    option_name: Annotated[str, Query(alias="option", description="an option's id; or give the days")] = "",
    train_days: Annotated[int, Query(ge=5)] = 120,
    test_days: Annotated[int, Query(ge=1)] = 30,
    anchored: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    embargo_bars: Annotated[int, Query(ge=0)] = 30,
) -> Folds:
    """Return the folds that a query describes; an option's days take the place of those given."""
    if option_name:
        chosen = option(option_name)
        train_days, test_days, anchored = chosen.train_days, chosen.test_days, chosen.anchored
    return Folds(train_days=train_days, test_days=test_days, anchored=anchored, embargo_bars=embargo_bars)


FoldsAsked = Annotated[Folds, Depends(folds_asked)]
Horizon = Annotated[int, Query(ge=1, le=389, description="minutes ahead that a label looks")]


class SpanAsked(BaseModel):
    """Which rows and columns of a set; all when left out."""

    start: Instant | None = None
    end: Instant | None = None
    columns: str = ""
    feature_set: str = "core"


def span_asked(
    start: Instant | None = None, end: Instant | None = None, columns: str = "", feature_set: str = "core"
) -> SpanAsked:
    """Return what a query asks for."""
    return SpanAsked(start=start, end=end, columns=columns, feature_set=feature_set)


@router.get("/features", response_class=Response)
def read_aligned(
    together: TogetherDep,
    symbols: Annotated[str, Query(description="comma-separated, 2 to 50")],
    asked: Annotated[SpanAsked, Depends(span_asked)],
    join: Join = "inner",
    max_age: Annotated[int, Query(ge=0, le=86_400, description="seconds, for join=asof")] = 300,
    kind: Annotated[TableFormat, Query(alias="format")] = "json",
) -> Response:
    """Return several symbols' rows side by side: the instants all have, or the first one's with the others as of."""
    frame = together.aligned(
        _listed(symbols),
        asked.feature_set,
        join,
        max_age,
        start=asked.start,
        end=asked.end,
        columns=_listed(asked.columns),
    )
    return table_response(frame, kind, "features-" + "-".join(_listed(symbols)[:5]))


@router.get("/options")
def list_options(together: TogetherDep, feature_set: str = "core") -> list[OptionOut]:
    """Return the named cuts into episodes, and how many symbols have enough built sessions for each."""
    return [OptionOut.of(one, symbols) for one, symbols in together.options(feature_set)]


@router.get("/symbols")
def list_symbols(together: TogetherDep, options: str = "", feature_set: str = "core") -> list[SymbolOut]:
    """Return the symbols that have enough built sessions for every option named."""
    found = together.symbols(_listed(options), feature_set)
    return [SymbolOut(symbol=symbol, sessions=have) for symbol, have in found.items()]


@router.get("/columns")
def list_columns(together: TogetherDep, symbol: str) -> list[ColumnsOut]:
    """Return the columns that are built for a symbol, by set."""
    return [ColumnsOut(feature_set=one, columns=names) for one, names in together.columns(symbol).items()]


@router.get("/folds/{symbol}")
def list_folds(
    symbol: str, together: TogetherDep, folds: FoldsAsked, horizon_bars: Horizon = 15, feature_set: str = "core"
) -> list[FoldOut]:
    """Return the episodes of what is built, oldest first."""
    return [FoldOut.of(one) for one in together.folds(symbol, feature_set, folds, horizon_bars)]


@router.get("/folds/{symbol}/{number}", response_class=Response)
def read_fold(
    symbol: str,
    number: int,
    together: TogetherDep,
    folds: FoldsAsked,
    horizon_bars: Horizon = 15,
    timeframe: str = "1m",
    feature_set: str = "core",
    kind: Annotated[TableFormat, Query(alias="format")] = "json",
) -> Response:
    """Return an episode's rows with `split` and `known_at`; a bucket that holds any test minute is test."""
    frame = together.fold_rows(symbol, feature_set, folds, horizon_bars, number, timeframe)
    return table_response(frame, kind, f"fold-{symbol.upper()}-{number}")


@router.get("/features/{symbol}/regimes")
def read_regimes(
    symbol: str,
    together: TogetherDep,
    start: Instant | None = None,
    end: Instant | None = None,
    feature_set: str = "regime",
) -> list[RegimeOut]:
    """Return every regime of the set as spans of time, at most 1,000 each."""
    found = together.regimes(symbol, feature_set, start=start, end=end)
    return [RegimeOut.of(regime, spans) for regime, spans in found.items()]


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
