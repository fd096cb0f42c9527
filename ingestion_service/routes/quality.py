"""Gaps, refused rows, and what is done about them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from ingestion_service.domain.gaps import Gap, Why
from ingestion_service.domain.lines import GapLine, gap_lines, listed
from ingestion_service.domain.refused import Refusals
from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.quality import (
    BackfillQuery,
    Check,
    CompareBody,
    Dropped,
    NearbyBar,
    QuarantinedRow,
    ReleaseBody,
    checks_of,
)
from ingestion_service.store.releases import Release
from ingestion_service.use_cases import Comparing, Filler, Quality, Releasing, SymbolCoverage
from ingestion_service.use_cases.quality import QualityReport
from ingestion_service.use_cases.releasing import Released
from shared.contracts.messages import Moment
from shared.web.accepted import Accepted, accepted
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.parts import provided

router = strict_router()

QualityDep = Annotated[Quality, Depends(provided(Quality))]
ReleasingDep = Annotated[Releasing, Depends(provided(Releasing))]
FillerDep = Annotated[Filler, Depends(provided(Filler))]
ComparingDep = Annotated[Comparing, Depends(provided(Comparing))]


@router.get("/quality")
def list_quality(quality: QualityDep) -> dict[str, int]:
    """Count the refused rows of all symbols by reason."""
    return quality.reasons()


@router.get("/quality/{symbol}")
def show_quality(symbol: str, quality: QualityDep) -> QualityReport:
    return quality.report(read_symbol(symbol))


@router.get("/quality/{symbol}/checks")
def list_checks(symbol: str, quality: QualityDep) -> list[Check]:
    """Return the same as one list, as the symbol's page has it."""
    return checks_of(quality.report(read_symbol(symbol)))


@router.get("/coverage/marked")
def list_marked(quality: QualityDep) -> list[SymbolCoverage]:
    """Return the symbols with gaps, refused rows or made-up bars, most gap minutes first."""
    return quality.marked().found


@router.get("/symbols/{symbol}/around")
def show_around(symbol: str, at: Moment, quality: QualityDep) -> list[NearbyBar]:
    """Return the stored bars next to a minute, and the rows refused among them."""
    return [NearbyBar.model_validate(row) for row in quality.nearby(read_symbol(symbol), at)]


@router.get("/gaps/{symbol}")
def show_gaps(
    symbol: str,
    quality: QualityDep,
    paging: PageQuery,
    start: Moment | None = None,
    end: Moment | None = None,
    why: Why | None = None,
) -> Page[Gap]:
    found = quality.gaps(read_symbol(symbol), start, end, why)
    return paging.of(found[paging.offset : paging.offset + paging.per_page], len(found))


@router.get("/gaps/{symbol}/lines")
def list_gap_lines(symbol: str, quality: QualityDep, paging: PageQuery, why: Why | None = None) -> Page[GapLine]:
    """Return gaps newest first, whole sessions in a row as one; without `why` all but minutes without a trade."""
    checked = read_symbol(symbol)
    found = listed(gap_lines(checked, quality.gaps(checked)), why)
    return paging.of(found[paging.offset : paging.offset + paging.per_page], len(found))


@router.get("/quarantine/reasons")
def list_reasons(quality: QualityDep) -> list[Refusals]:
    """Return the reasons rows of all symbols were refused for, most rows first, and when: in each part of the time."""
    return quality.refused(None, None, 0, 0)[0].reasons


@router.get("/releases")
def list_newest_releases(releasing: ReleasingDep, symbol: str | None = None) -> list[Release]:
    """Return what was released of all symbols, or of one, newest first."""
    return releasing.newest(None if symbol is None else read_symbol(symbol))


@router.get("/quarantine")
def show_quarantine(
    quality: QualityDep, paging: PageQuery, symbol: str | None = None, reason: str | None = None
) -> Page[QuarantinedRow]:
    wanted = None if symbol is None else read_symbol(symbol)
    if reason:
        quality.check_reason(reason)
    rows, total = quality.quarantined(wanted, reason, paging.offset, paging.per_page)
    return paging.of([QuarantinedRow.model_validate(row) for row in rows], total)


@router.post("/quarantine/{symbol}/release")
def release_rows(symbol: str, body: ReleaseBody, releasing: ReleasingDep) -> Released:
    """Store refused rows that somebody knows to be good as bars; they are not suspected again."""
    return releasing.release(read_symbol(symbol), body.chosen(), by=body.by, why=body.why, replace=body.replace)


@router.get("/quarantine/{symbol}/release")
def list_releases(symbol: str, releasing: ReleasingDep) -> list[Release]:
    """List what was released of a symbol, by whom and why."""
    return releasing.all(read_symbol(symbol))


@router.post("/backfill/{symbol}", status_code=202)
def fill_gaps(symbol: str, filler: FillerDep, query: Annotated[BackfillQuery, Query()]) -> Accepted:
    """Ask again for the symbol's gaps, then make bars up for what is left."""
    return accepted(filler.submit(query.request(read_symbol(symbol))))


@router.delete("/backfill/{symbol}")
def drop_filled(symbol: str, filler: FillerDep, start: Moment | None = None, end: Moment | None = None) -> Dropped:
    """Drop the bars made up for gaps."""
    checked = read_symbol(symbol)
    return Dropped(symbol=checked, dropped=filler.drop(checked, start, end))


@router.post("/compare/{symbol}", status_code=202)
def compare_bars(symbol: str, body: CompareBody, comparing: ComparingDep) -> Accepted:
    """Compare stored bars with a second provider's."""
    return accepted(comparing.submit(body.request(read_symbol(symbol))))
