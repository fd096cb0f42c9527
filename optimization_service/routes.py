"""The JSON interface."""

from __future__ import annotations

import csv
import io
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from optimization_service.schemas import (
    BatchAccepted,
    BatchDetailOut,
    BatchOut,
    BatchRequest,
    HeatmapOut,
    LeaderboardQuery,
    TrialOut,
)
from optimization_service.use_cases import Batches, Leaderboard
from shared.web.pagination import Page, PageQuery
from shared.web.service import provided

router = APIRouter()

BatchesDep = Annotated[Batches, Depends(provided(Batches))]
LeaderboardDep = Annotated[Leaderboard, Depends(provided(Leaderboard))]

#: a CSV holds every filtered row, up to this many
_CSV_ROWS = 100_000


LeaderboardAsked = Annotated[LeaderboardQuery, Depends()]


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
    return BatchDetailOut.with_members(view, batches.members(fingerprint), leaderboard.luck(fingerprint))


@router.get("/batches/{fingerprint}/heatmap")
def show_heatmap(fingerprint: str, batches: BatchesDep) -> HeatmapOut:
    """Return the best Sharpe by threshold and holding time."""
    batches.view(fingerprint)
    return HeatmapOut.of(batches.grid(fingerprint))


@router.get("/leaderboard")
def show_leaderboard(leaderboard: LeaderboardDep, asked: LeaderboardAsked, paging: PageQuery) -> Page[TrialOut]:
    """List trials of a batch, or of all of them, each simulated setting once."""
    found, total = leaderboard.page(asked.filter(paging.per_page, paging.offset))
    return paging.of([TrialOut.of(trial) for trial in found], total)


@router.get("/leaderboard.csv", response_class=Response)
def download_leaderboard(leaderboard: LeaderboardDep, asked: LeaderboardAsked) -> Response:
    """Return the filtered rows, all pages of them, as CSV."""
    found, _ = leaderboard.page(asked.filter(_CSV_ROWS, 0))
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(TrialOut.model_fields))
    writer.writeheader()
    writer.writerows(TrialOut.of(trial).model_dump(mode="json") for trial in found)
    disposition = {"Content-Disposition": 'attachment; filename="leaderboard.csv"'}
    return Response(out.getvalue(), media_type="text/csv", headers=disposition)
