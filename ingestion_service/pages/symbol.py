"""The page of one symbol: figures, candles with gaps shaded, gaps with refill, checks, stored months."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from ingestion_service.domain.actions import Adjustment
from ingestion_service.domain.gaps import Why
from ingestion_service.domain.lines import ask_lines, gap_lines, listed
from ingestion_service.domain.requests import FillGaps
from ingestion_service.domain.symbols import read_symbol
from ingestion_service.domain.timeframes import Timeframe
from ingestion_service.schemas.intake import IngestSpan
from ingestion_service.use_cases import Actions, Bars, Filler, Intake, Quality
from ingestion_service.use_cases.series import OF_DAYS
from shared.contracts.messages import Moment
from shared.errors import InvalidInput
from shared.jobs.model import JobState
from shared.jobs.queue import Queue
from shared.web.forms import SubmittedForm, check_form
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery
from shared.web.parts import provided

router = page_router()

BarsDep = Annotated[Bars, Depends(provided(Bars))]
QualityDep = Annotated[Quality, Depends(provided(Quality))]
FillerDep = Annotated[Filler, Depends(provided(Filler))]
IntakeDep = Annotated[Intake, Depends(provided(Intake))]
ActionsDep = Annotated[Actions, Depends(provided(Actions))]
QueueDep = Annotated[Queue, Depends(provided(Queue))]

#: what the chart shows on either side of a minute that is looked at
_BESIDE = timedelta(minutes=90)


class Shown(BaseModel):
    """Which candles and gaps the page shows.

    timeframe: the shortest there is of the symbol; filled: with bars made up for gaps; why: all that are gaps.
    """

    around: Moment | None = None
    timeframe: Timeframe | None = None
    adjustment: Adjustment = Adjustment.RAW
    filled: bool = False
    why: Why | None = None


@router.get("/symbols/{symbol}")
def symbol_page(
    request: Request,
    symbol: str,
    bars: BarsDep,
    quality: QualityDep,
    queue: QueueDep,
    actions: ActionsDep,
    paging: PageQuery,
    shown: Annotated[Shown, Query()],
) -> Response:
    """All that is stored of a symbol and all that is known against it; `around`: the minutes beside one, closely."""
    around = shown.around
    found = bars.stock(read_symbol(symbol))
    lines = gap_lines(found.symbol, quality.gaps(found.symbol))
    gaps = listed(lines, shown.why)
    report = quality.report(found.symbol)
    jobs = [job for job in queue.jobs(per_page=200)[0] if job.payload.get("symbol") == found.symbol]
    # of days alone no shorter bars can be made
    timeframes = list(Timeframe) if found.rows else list(OF_DAYS)
    span = None if around is None else (around - _BESIDE, around + _BESIDE)
    return render(
        request,
        "symbol.html",
        report=report,
        asks=ask_lines(report.failed_asks),
        files=found.files[::-1],
        page=paging.of(gaps[paging.offset : paging.offset + paging.per_page], len(gaps)),
        reasons=Counter(one.why for one in lines),
        why=shown.why,
        # what is being done, and what went wrong last
        jobs=[job for at, job in enumerate(jobs) if not job.state.ended or (at == 0 and job.state is JobState.FAILED)],
        actions=actions.of(found.symbol)[::-1],
        timeframe=shown.timeframe or timeframes[0],
        timeframes=timeframes,
        adjustment=shown.adjustment,
        filled=shown.filled,
        around=around,
        nearby=[] if around is None else quality.nearby(found.symbol, around),
        window="" if span is None else f"?from={span[0].timestamp():.0f}&to={span[1].timestamp():.0f}",
    )


@router.post("/symbols/{symbol}/ask")
def ask_again(symbol: str, submitted: SubmittedForm, intake: IntakeDep) -> Response:
    """Ask the providers for one gap again and show the job."""
    form = check_form(IngestSpan, submitted)
    if form.data is None:
        raise InvalidInput("; ".join(f"{name}: {text}" for name, text in form.errors.items()))
    return redirect_after_post(f"/jobs/{intake.submit(form.data.requests([read_symbol(symbol)]))[0]}")


@router.post("/backfill/{symbol}")
def refill(symbol: str, filler: FillerDep) -> Response:
    """Ask again for the gaps, then make bars up for what is left; show the job."""
    return redirect_after_post(f"/jobs/{filler.submit(FillGaps(symbol=read_symbol(symbol)))}")


@router.post("/backfill/{symbol}/drop")
def drop_filled(symbol: str, filler: FillerDep) -> Response:
    """Drop the bars made up for gaps."""
    filler.drop(read_symbol(symbol), None, None)
    return redirect_after_post(f"/symbols/{read_symbol(symbol)}")
