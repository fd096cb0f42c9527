"""The stored bars."""

from __future__ import annotations

import io
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Response

from ingestion_service.schemas.bars import CandlesAnswer, Format, SymbolSummary
from ingestion_service.schemas.times import Moment
from ingestion_service.use_cases import Bars, SymbolCoverage
from ingestion_service.use_cases.bars import Excerpt
from shared.contracts.candles import MAX_BARS
from shared.contracts.identifiers import check_symbol
from shared.web.pagination import Page, PageQuery
from shared.web.parts import provided

router = APIRouter()

BarsDep = Annotated[Bars, Depends(provided(Bars))]


@router.get("/symbols")
def list_symbols(bars: BarsDep) -> list[SymbolSummary]:
    return [SymbolSummary(symbol=s.symbol, first=s.first, last=s.last, rows=s.rows) for s in bars.stocks()]


@router.get("/symbols/{symbol}")
def show_symbol(symbol: str, bars: BarsDep) -> SymbolCoverage:
    return bars.coverage_of(check_symbol(symbol))


@router.get("/coverage")
def show_coverage(bars: BarsDep, paging: PageQuery, sort: str = "symbol", search: str = "") -> Page[SymbolCoverage]:
    return paging.of(*bars.coverage(search=search, sort=sort, offset=paging.offset, limit=paging.per_page))


@router.get("/bars/{symbol}/lod")
def show_candles(
    symbol: str,
    bars: BarsDep,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_BARS)] = MAX_BARS,
) -> CandlesAnswer:
    """Level of detail for charts; `from` and `to` as ISO 8601 or seconds since 1970."""
    found = bars.candles(check_symbol(symbol), start, end, limit)
    return CandlesAnswer(
        symbol=check_symbol(symbol),
        time=(found.ts_us // 1_000_000).tolist(),
        open=found.open.tolist(),
        high=found.high.tolist(),
        low=found.low.tolist(),
        close=found.close.tolist(),
        volume=[None if np.isnan(volume) else volume for volume in found.volume.tolist()],
    )


@router.get("/bars/{symbol}")
def show_bars(
    symbol: str,
    bars: BarsDep,
    start: Moment | None = None,
    end: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=5_000_000)] = 10_000,
    format: Format = Format.JSON,  # noqa: A002 - the parameter's public name
) -> Response:
    return _written(bars.excerpt(check_symbol(symbol), start, end, limit), check_symbol(symbol), format)


def _written(excerpt: Excerpt, symbol: str, format_: Format) -> Response:
    """Return rows as a body; the whole span's data version and whether rows were left out also stand in the headers."""
    headers = {"X-Data-Version": excerpt.data_version, "X-Truncated": str(excerpt.truncated).lower()}
    rows, sink = excerpt.rows, io.BytesIO()
    if format_ is Format.JSON:
        text = rows.with_columns(ts=rows["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_json()
        body = (
            f'{{"symbol":"{symbol}","count":{rows.height},"truncated":{headers["X-Truncated"]},'
            f'"data_version":"{excerpt.data_version}","bars":{text}}}'
        )
        return Response(body, media_type="application/json", headers=headers)
    if format_ is Format.CSV:
        rows.write_csv(sink, datetime_format="%Y-%m-%dT%H:%M:%SZ")
        kind = "text/csv"
    else:
        rows.write_parquet(sink)
        kind = "application/vnd.apache.parquet"
    headers["Content-Disposition"] = f'attachment; filename="{symbol}.{format_.value}"'
    return Response(sink.getvalue(), media_type=kind, headers=headers)
