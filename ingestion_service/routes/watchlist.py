"""The watchlist and named lists of symbols."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.agents import UniverseName, UniverseSymbols, Watch, WatchAccepted
from ingestion_service.schemas.intake import AcceptedIngest
from ingestion_service.store.agents import Universe
from ingestion_service.use_cases import Watchlist
from ingestion_service.use_cases.watchlist import WatchedSymbol
from shared.web.known import strict_router
from shared.web.parts import provided

router = strict_router(tags=["watchlist"])

WatchlistDep = Annotated[Watchlist, Depends(provided(Watchlist))]


@router.get("/watchlist")
def show_watchlist(watchlist: WatchlistDep, search: str = "") -> list[WatchedSymbol]:
    return watchlist.all(search)


@router.post("/watchlist", status_code=202)
def watch(body: Watch, watchlist: WatchlistDep) -> WatchAccepted:
    """Watch symbols, and queue the backfill of each."""
    symbols, job_ids = watchlist.add_all(body.symbols, body.universe, body.since, live=body.live)
    return WatchAccepted(
        jobs=[
            AcceptedIngest(symbol=symbol, job_id=job_id, link=f"/jobs/{job_id}")
            for symbol, job_id in zip(symbols, job_ids, strict=True)
        ]
    )


@router.delete("/watchlist/{symbol}", status_code=204)
def unwatch(symbol: str, watchlist: WatchlistDep) -> None:
    """Watch a symbol no longer; its bars stay."""
    watchlist.remove(read_symbol(symbol))


@router.get("/universes")
def list_universes(watchlist: WatchlistDep) -> list[Universe]:
    return watchlist.universes()


@router.get("/universes/{name}")
def show_universe(name: str, watchlist: WatchlistDep) -> Universe:
    return watchlist.universe(name)


@router.put("/universes/{name}")
def save_universe(name: UniverseName, body: UniverseSymbols, watchlist: WatchlistDep) -> Universe:
    return watchlist.save_universe(name, body.symbols)


@router.delete("/universes/{name}", status_code=204)
def drop_universe(name: str, watchlist: WatchlistDep) -> None:
    watchlist.drop_universe(name)
