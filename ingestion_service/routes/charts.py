"""What the candle chart of a symbol's page draws."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.bars import ChartAnswer, ChartMarker, ChartQuery, candle_columns
from ingestion_service.use_cases import Bars, Quality
from shared.web.known import strict_router
from shared.web.parts import provided

router = strict_router()

BarsDep = Annotated[Bars, Depends(provided(Bars))]
QualityDep = Annotated[Quality, Depends(provided(Quality))]


@router.get("/symbols/{symbol}/chart")
def show_chart(query: Annotated[ChartQuery, Query()], symbol: str, bars: BarsDep, quality: QualityDep) -> ChartAnswer:
    """Candles as `/bars/{symbol}/lod` has them, each with the gap minutes and refused rows in it or next to it."""
    wanted = query.wanted(read_symbol(symbol))
    found = bars.candles(wanted, query.limit)
    shade = quality.gap_minutes_by_candle(wanted.symbol, found.ts_us, wanted.end).tolist()
    refused = quality.refused_by_candle(wanted.symbol, found.ts_us, wanted.end).tolist()
    markers = [
        ChartMarker(time=ts_us // 1_000_000, side="exit", text=str(rows) if rows > 1 else "")
        for ts_us, rows in zip(found.ts_us.tolist(), refused, strict=True)
        if rows
    ]
    return ChartAnswer(
        symbol=wanted.symbol, timeframe=wanted.timeframe, shade=shade, markers=markers, **candle_columns(found)
    )
