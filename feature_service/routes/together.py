"""Several symbols on one clock, episodes, regimes over time."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Response

from feature_service.domain.episodes import option
from feature_service.schemas.asking import MOST_VALUES, AlignedAsked, header, listed
from feature_service.schemas.together import ColumnsOut, FoldOut, OptionOut, RegimeOut, SymbolOut
from feature_service.use_cases import Together
from feature_service.use_cases.features import Wanted
from shared.contracts.messages import Folds, Moment
from shared.web.known import strict_router
from shared.web.service import provided
from shared.web.tables import TableFormat, table_response

router = strict_router()

TogetherDep = Annotated[Together, Depends(provided(Together))]


def folds_asked(
    option_name: Annotated[str, Query(alias="option", description="an option's id; or give the days")] = "",
    train_days: Annotated[int, Query(ge=5, le=10_000)] = 120,
    test_days: Annotated[int, Query(ge=1, le=10_000)] = 30,
    anchored: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    embargo_bars: Annotated[int, Query(ge=0, le=100_000)] = 30,
) -> Folds:
    """Return the folds that a query describes; an option's days take the place of those given."""
    if option_name:
        chosen = option(option_name)
        train_days, test_days, anchored = chosen.train_days, chosen.test_days, chosen.anchored
    return Folds(train_days=train_days, test_days=test_days, anchored=anchored, embargo_bars=embargo_bars)


FoldsAsked = Annotated[Folds, Depends(folds_asked)]
Horizon = Annotated[int, Query(ge=1, le=389, description="minutes ahead that a label looks")]


@router.get("/features", response_class=Response)
def read_aligned(together: TogetherDep, asked: Annotated[AlignedAsked, Query()]) -> Response:
    """Return several symbols' rows side by side: the instants all have, or the first one's with the others as of."""
    symbols = listed(asked.symbols)
    wanted = together.pinned(symbols, asked.wanted)
    frame = together.aligned(symbols, asked.join, asked.max_age, wanted)
    return table_response(frame, asked.format, "features-" + "-".join(symbols[:5]), header(wanted))


@router.get("/options")
def list_options(together: TogetherDep, feature_set: str = "") -> list[OptionOut]:
    """Return the named cuts into episodes, and how many symbols have enough built sessions for each."""
    return [OptionOut.of(one, symbols) for one, symbols in together.options(feature_set)]


@router.get("/symbols")
def list_symbols(together: TogetherDep, options: str = "", feature_set: str = "") -> list[SymbolOut]:
    """Return the symbols that have enough built sessions for every option named."""
    found = together.symbols(listed(options), feature_set)
    return [SymbolOut(symbol=symbol, sessions=have) for symbol, have in found.items()]


@router.get("/columns")
def list_columns(together: TogetherDep, symbol: str) -> list[ColumnsOut]:
    """Return the columns that are built for a symbol, by set."""
    return [ColumnsOut(feature_set=one, columns=names) for one, names in together.columns(symbol).items()]


@router.get("/folds/{symbol}")
def list_folds(
    symbol: str, together: TogetherDep, folds: FoldsAsked, horizon_bars: Horizon = 15, feature_set: str = ""
) -> list[FoldOut]:
    """Return the episodes of what is built, oldest first."""
    return [FoldOut.of(one) for one in together.folds(symbol, feature_set, folds, horizon_bars)]


@router.get("/folds/{symbol}/{number}", response_class=Response)
def read_fold(
    symbol: str,
    number: Annotated[int, Path(ge=0, le=1_000_000)],
    together: TogetherDep,
    folds: FoldsAsked,
    horizon_bars: Horizon = 15,
    timeframe: str = "1m",
    feature_set: str = "",
    kind: Annotated[TableFormat, Query(alias="format")] = "json",
) -> Response:
    """Return an episode's rows with `split` and `known_at`; a bucket that holds any test minute is test."""
    wanted = Wanted(feature_set=feature_set, most_values=MOST_VALUES[kind])
    frame = together.fold_rows(symbol, wanted, folds, horizon_bars, number, timeframe)
    return table_response(frame, kind, f"fold-{symbol.upper()}-{number}")


@router.get("/features/{symbol}/regimes")
def read_regimes(
    symbol: str,
    together: TogetherDep,
    start: Moment | None = None,
    end: Moment | None = None,
    feature_set: str = "",
) -> list[RegimeOut]:
    """Return every regime of the set as spans of time, at most 1,000 each."""
    found = together.regimes(symbol, feature_set, start=start, end=end)
    return [RegimeOut.of(regime, spans) for regime, spans in found.items()]
