"""What the candle chart of a symbol's page draws."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ingestion_service.schemas.bars import ChartAnswer, candle_columns
from ingestion_service.use_cases import Bars, Quality
from ingestion_service.use_cases.series import Wanted
from shared.contracts.candles import MAX_BARS
from shared.contracts.identifiers import check_symbol
from shared.contracts.messages import Moment
from shared.web.parts import provided

router = APIRouter()

BarsDep = Annotated[Bars, Depends(provided(Bars))]
QualityDep = Annotated[Quality, Depends(provided(Quality))]


@router.get("/symbols/{symbol}/chart")
def show_chart(
    symbol: str,
    bars: BarsDep,
    quality: QualityDep,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_BARS)] = MAX_BARS,
) -> ChartAnswer:
    """Candles as `/bars/{symbol}/lod` has them, each with the gap minutes in it or next to it."""
    wanted = Wanted(symbol=check_symbol(symbol), start=start, end=end)
    found = bars.candles(wanted, limit)
    shade = quality.gap_minutes_by_candle(wanted.symbol, found.ts_us).tolist()
    return ChartAnswer(symbol=wanted.symbol, shade=shade, **candle_columns(found))


@router.get("/quality")
def list_quality(quality: QualityDep) -> dict[str, int]:
    """Count the refused rows of all symbols by reason."""
    return quality.reasons()
