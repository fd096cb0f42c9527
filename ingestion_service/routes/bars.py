"""The stored bars."""

from __future__ import annotations

import io
from typing import Annotated

from fastapi import Depends, Query, Response

from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.bars import (
    BarsQuery,
    CandlesAnswer,
    CandlesQuery,
    Format,
    StoredMonth,
    candle_columns,
    candle_rows,
)
from ingestion_service.use_cases import Bars, SymbolCoverage
from ingestion_service.use_cases.bars import Excerpt, Past, SymbolSummary
from shared.contracts.messages import Moment
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.parts import provided
from shared.web.tables import table_response

router = strict_router()

BarsDep = Annotated[Bars, Depends(provided(Bars))]


@router.get("/symbols")
def list_symbols(bars: BarsDep) -> list[SymbolSummary]:
    return bars.summaries()


@router.get("/symbols/{symbol}")
def show_symbol(symbol: str, bars: BarsDep) -> SymbolCoverage:
    return bars.coverage_of(read_symbol(symbol))


@router.get("/symbols/{symbol}/files")
def list_files(symbol: str, bars: BarsDep) -> list[StoredMonth]:
    """Return the files that the symbol's minutes are in, newest first."""
    return [StoredMonth.of(file) for file in reversed(bars.stock(read_symbol(symbol)).files)]


@router.get("/coverage")
def show_coverage(bars: BarsDep, paging: PageQuery, sort: str = "symbol", search: str = "") -> Page[SymbolCoverage]:
    return paging.of(*bars.coverage(search=search, sort=sort, offset=paging.offset, limit=paging.per_page))


@router.get("/as-of/{symbol}")
def show_past(symbol: str, bars: BarsDep, at: Moment | None = None) -> Past:
    """Show what was stored of a symbol at a past moment, and at which moments that changed."""
    return bars.past(read_symbol(symbol), at)


@router.get("/bars/{symbol}/lod", response_model=CandlesAnswer)
def show_candles(query: Annotated[CandlesQuery, Query()], symbol: str, bars: BarsDep) -> CandlesAnswer | Response:
    """Level of detail for charts; `from` and `to` as ISO 8601 or seconds since 1970."""
    wanted = query.wanted(read_symbol(symbol))
    found = bars.candles(wanted, query.limit)
    if query.format == "csv":
        return table_response(candle_rows(found), "csv", f"{wanted.symbol}-candles")
    return CandlesAnswer(symbol=wanted.symbol, timeframe=wanted.timeframe, **candle_columns(found))


@router.get("/bars/{symbol}")
def show_bars(query: Annotated[BarsQuery, Query()], symbol: str, bars: BarsDep) -> Response:
    wanted = query.wanted(read_symbol(symbol))
    return _written(bars.excerpt(wanted, query.limit), wanted.symbol, query.format)


def _written(excerpt: Excerpt, symbol: str, format_: Format) -> Response:
    """Return rows as a body; the whole span's data version and whether rows were left out also stand in the headers."""
    headers = {"X-Data-Version": excerpt.data_version, "X-Truncated": str(excerpt.truncated).lower()}
    rows = excerpt.rows
    if format_ is Format.JSON:
        text = rows.with_columns(ts=rows["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_json()
        body = (
            f'{{"symbol":"{symbol}","count":{rows.height},"truncated":{headers["X-Truncated"]},'
            f'"data_version":"{excerpt.data_version}","bars":{text}}}'
        )
        return Response(body, media_type="application/json", headers=headers)
    if format_ is Format.ARROW:
        # a stream, which is read as it comes; a table's Arrow is a file, and .arrow is what those are called
        sink = io.BytesIO()
        rows.write_ipc_stream(sink)
        headers["Content-Disposition"] = f'attachment; filename="{symbol}.arrows"'
        return Response(sink.getvalue(), media_type="application/vnd.apache.arrow.stream", headers=headers)
    return table_response(rows, "csv" if format_ is Format.CSV else "parquet", symbol, headers)
