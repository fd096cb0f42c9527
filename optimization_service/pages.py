"""The pages: studies and the new-batch form, one batch, the leaderboard over all of them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request, Response

from optimization_service.domain.luck import Luck
from optimization_service.schemas import BatchDetailOut, BatchForm, HeatmapOut, LeaderboardQuery
from optimization_service.use_cases import Batches, Leaderboard
from shared.errors import BarsmithError
from shared.web import charts
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageNumbers, PageQuery
from shared.web.service import provided

router = page_router()

BatchesDep = Annotated[Batches, Depends(provided(Batches))]
LeaderboardDep = Annotated[Leaderboard, Depends(provided(Leaderboard))]
LeaderboardAsked = Annotated[LeaderboardQuery, Depends()]


@router.get("/")
@router.get("/batches")
def batches_page(request: Request, batches: BatchesDep, paging: PageQuery) -> Response:
    return _batches(request, batches, paging)


@router.post("/batches")
def submit_form(request: Request, batches: BatchesDep, submitted: SubmittedForm, paging: PageQuery) -> Response:
    form = check_form(BatchForm, submitted)
    if form.data is not None:
        try:
            return redirect_after_post(f"/batches/{batches.submit(form.data.request().wish()).batch}")
        except BarsmithError as error:
            form = with_error(form, "form", str(error))
    return _batches(request, batches, paging, form=form, status=422)


@router.get("/batches/{fingerprint}")
def batch_page(
    request: Request,
    batches: BatchesDep,
    leaderboard: LeaderboardDep,
    fingerprint: str,
    asked: LeaderboardAsked,
    paging: PageQuery,
) -> Response:
    wanted = asked.model_copy(update={"batch": fingerprint})
    view, luck = batches.view(fingerprint), leaderboard.luck(fingerprint)
    batch = BatchDetailOut.with_members(view, batches.members(fingerprint), luck)
    heat = HeatmapOut.of(batches.grid(fingerprint))
    return render(
        request,
        "batch.html",
        batch=batch,
        luck=luck_line(luck),
        heat=heat,
        cells=charts.heatmap(heat.best),
        titles=[[f"{count} trials" for count in row] for row in heat.trials],
        page=paging.of(*leaderboard.page(wanted.filter(paging.per_page, paging.offset))),
        csv=f"/leaderboard.csv?{urlencode(wanted.model_dump(exclude_none=True))}",
    )


@router.get("/leaderboard")
def leaderboard_page(
    request: Request, leaderboard: LeaderboardDep, asked: LeaderboardAsked, paging: PageQuery
) -> Response:
    luck = leaderboard.luck(asked.batch)
    return render(
        request,
        "leaderboard.html",
        luck=luck_line(luck),
        page=paging.of(*leaderboard.page(asked.filter(paging.per_page, paging.offset))),
        csv=f"/leaderboard.csv?{urlencode(asked.model_dump(exclude_none=True))}",
    )


def luck_line(luck: Luck) -> str:
    """Return the sentence that stands beside every best: how good it would look by chance."""
    if luck.best_sharpe is None:
        return f"{luck.trials:,} trials, none with a Sharpe ratio yet."
    if luck.sharpe_by_luck is None:
        return f"One trial, Sharpe {luck.best_sharpe:.2f}: nothing was selected, and nothing is proven."
    return (
        f"Best of {luck.trials:,} trials: Sharpe {luck.best_sharpe:.2f}. Luck alone would show about "
        f"{luck.sharpe_by_luck:.2f}: the best of as many worthless trials that spread as these do."
    ).replace("-", "−")


def _batches(
    request: Request, batches: Batches, paging: PageNumbers, *, form: Form[BatchForm] | None = None, status: int = 200
) -> Response:
    page = paging.of(*batches.page(paging.per_page, paging.offset))
    return render(request, "batches.html", status=status, page=page, form=form)
