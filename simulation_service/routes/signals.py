"""Series that users bring, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, Query, Response

from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.tables import TableFormat, table_response
from simulation_service.deps import SignalsDep
from simulation_service.domain.records import SignalsRecord

router = strict_router()


@router.post("/signals", status_code=201)
def bring_signals(
    content: Annotated[bytes, Body(media_type="text/csv")],
    signals: SignalsDep,
    symbol: Annotated[str, Query(description="which symbol's bars the times belong to")],
    name: Annotated[str, Query(max_length=120, description="what people call it")] = "",
) -> SignalsRecord:
    """Keep a series of your own; simulate it with its fingerprint as `model`.

    The body is the file itself, CSV (`Content-Type: text/csv`) or Parquet, with the columns `ts` (start of the bar,
    with a time zone) and `prediction` or `position` (-1, 0, 1). The same content gets the same name. A form with the
    fields `file`, `symbol` and `name` does too.
    """
    return signals.keep(content, symbol=symbol, name=name)


@router.get("/signals")
def list_signals(signals: SignalsDep, paging: PageQuery, symbol: str | None = None) -> Page[SignalsRecord]:
    """List the series that users brought, newest first."""
    found = signals.page(symbol=symbol and symbol.upper(), limit=paging.per_page, offset=paging.offset)
    return paging.of(*found)


@router.get("/signals/{fingerprint}")
def show_signals(fingerprint: str, signals: SignalsDep) -> SignalsRecord:
    """Return one series' record."""
    return signals.one(fingerprint)


@router.get("/signals/{fingerprint}/rows", response_class=Response)
def signal_rows(
    fingerprint: str, signals: SignalsDep, kind: Annotated[TableFormat, Query(alias="format")] = "csv"
) -> Response:
    """Return what the series says, as it was brought."""
    return table_response(signals.rows(fingerprint), kind, f"signals-{fingerprint[:10]}")
