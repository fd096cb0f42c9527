"""The JSON interface."""

from __future__ import annotations

import csv
import io
import json
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response

from optimization_service.domain.columns import COLUMNS
from optimization_service.schemas import (
    BatchAccepted,
    BatchDetailOut,
    BatchOut,
    BatchRequest,
    HalvesOut,
    HeatmapOut,
    LeaderboardOut,
    LeaderboardQuery,
    StudyOut,
    leaderboard_asked,
    row_of,
)
from optimization_service.use_cases import Batches, Leaderboard, Studies
from shared.web.known import strict_router
from shared.web.pagination import Page, PageQuery
from shared.web.service import provided

router = strict_router()
#: reads its query itself, and refuses what is neither a field of a setting nor a figure
leaderboard_router = APIRouter()

BatchesDep = Annotated[Batches, Depends(provided(Batches))]
LeaderboardDep = Annotated[Leaderboard, Depends(provided(Leaderboard))]
StudiesDep = Annotated[Studies, Depends(provided(Studies))]
LeaderboardAsked = Annotated[LeaderboardQuery, Depends(leaderboard_asked)]
How = Literal["median", "best"]

#: a CSV holds every filtered row, up to this many
_CSV_ROWS = 100_000


@router.post("/batches", status_code=202)
def submit_batch(body: BatchRequest, batches: BatchesDep) -> BatchAccepted:
    """Start a batch, or return the one of the same definition."""
    started = batches.submit(body.wish())
    return BatchAccepted(
        batch=started.batch, job_id=started.job_id, link=f"/batches/{started.batch}", reused=started.reused
    )


@router.get("/batches")
def list_batches(batches: BatchesDep, paging: PageQuery) -> Page[BatchOut]:
    """List batches, newest first, each with how far it is."""
    found, total = batches.page(paging.per_page, paging.offset)
    return paging.of([BatchOut.of(view) for view in found], total)


@router.get("/batches/{fingerprint}")
def show_batch(fingerprint: str, batches: BatchesDep, leaderboard: LeaderboardDep) -> BatchDetailOut:
    """Return a batch with its members and what luck alone would have shown."""
    view = batches.view(fingerprint)
    return BatchDetailOut.with_members(view, batches.members(view), leaderboard.luck(fingerprint))


@router.post("/batches/{fingerprint}/cancel")
def cancel_batch(fingerprint: str, batches: BatchesDep) -> BatchOut:
    """Call a batch off with all its jobs; its trials so far stay. Asked for again, it goes on where they end."""
    return BatchOut.of(batches.cancel(fingerprint))


@router.get("/batches/{fingerprint}/heatmap")
def show_heatmap(
    fingerprint: str,
    batches: BatchesDep,
    studies: StudiesDep,
    rows: str | None = None,
    columns: str | None = None,
    how: How = "median",
) -> HeatmapOut:
    """Return the median (or best) Sharpe by two parameters; the two that decide most when none are named."""
    return HeatmapOut.of(studies.heatmap(fingerprint, batches.view(fingerprint).batch, rows, columns, how))


@router.get("/batches/{fingerprint}/study")
def show_study(fingerprint: str, batches: BatchesDep, studies: StudiesDep) -> StudyOut:
    """Return the history of the search, which parameters decide, and the clusters of success."""
    view = batches.view(fingerprint)
    return StudyOut.of(studies.study(fingerprint, view.batch, None, None, "median"), view)


@router.get("/batches/{fingerprint}/halves")
def show_halves(fingerprint: str, batches: BatchesDep, studies: StudiesDep) -> HalvesOut | None:
    """Return whether trials that were good in the first half of their days stayed good; null without enough days."""
    batches.view(fingerprint)
    found = studies.halves(fingerprint)
    return None if found is None else HalvesOut.of(found)


@leaderboard_router.get("/leaderboard")
def show_leaderboard(leaderboard: LeaderboardDep, asked: LeaderboardAsked, paging: PageQuery) -> LeaderboardOut:
    """List trials of a batch, or of all of them, each simulated setting once.

    `terms` keeps those of the same days, costs and cash; `groups` says which there are.
    """
    found, total = leaderboard.page(asked.filter(paging.per_page, paging.offset))
    page = paging.of([row_of(trial) for trial in found], total)
    return LeaderboardOut(**dict(page), groups=leaderboard.terms(asked.batch))


@leaderboard_router.get("/leaderboard.csv", response_class=Response)
def download_leaderboard(leaderboard: LeaderboardDep, asked: LeaderboardAsked) -> Response:
    """Return the filtered rows, all pages of them, as CSV: the columns that `show` names, or all."""
    found, _ = leaderboard.page(asked.filter(_CSV_ROWS, 0))
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=["run", *(asked.show or COLUMNS)], extrasaction="ignore")
    writer.writeheader()
    for trial in found:
        writer.writerow({name: _cell(value) for name, value in row_of(trial).items()})
    disposition = {"Content-Disposition": 'attachment; filename="leaderboard.csv"'}
    return Response(out.getvalue(), media_type="text/csv", headers=disposition)


def _cell(value: object) -> object:
    return json.dumps(value) if isinstance(value, list | dict) else value
