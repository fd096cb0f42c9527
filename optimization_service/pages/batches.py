"""The routes of the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from optimization_service.domain.figures import MAX_HEATMAP
from optimization_service.domain.luck import Luck
from optimization_service.domain.records import Terms
from optimization_service.domain.space import Space
from optimization_service.pages.board import all_columns, board_columns
from optimization_service.schemas import (
    ALL_TERMS,
    BatchDetailOut,
    BatchForm,
    HalvesOut,
    HeatQuery,
    LeaderboardQuery,
    StudyOut,
    leaderboard_asked,
    row_of,
)
from optimization_service.use_cases import Batches, Leaderboard, Studies
from shared.errors import BarsmithError
from shared.jobs.queue import Queue
from shared.web import charts
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageNumbers, PageQuery
from shared.web.service import provided

router = page_router()

BatchesDep = Annotated[Batches, Depends(provided(Batches))]
LeaderboardDep = Annotated[Leaderboard, Depends(provided(Leaderboard))]
StudiesDep = Annotated[Studies, Depends(provided(Studies))]
QueueDep = Annotated[Queue, Depends(provided(Queue))]
LeaderboardAsked = Annotated[LeaderboardQuery, Depends(leaderboard_asked)]
HeatAsked = Annotated[HeatQuery, Depends()]

#: dots of the history that a screen can show
_DOTS = 4_000


@router.get("/")
@router.get("/batches")
def batches_page(request: Request, batches: BatchesDep, queue: QueueDep, paging: PageQuery) -> Response:
    return _batches(request, batches, queue, paging)


@router.post("/batches")
def submit_form(
    request: Request, batches: BatchesDep, queue: QueueDep, submitted: SubmittedForm, paging: PageQuery
) -> Response:
    form = check_form(BatchForm, submitted)
    if form.data is not None:
        try:
            return redirect_after_post(f"/batches/{batches.submit(form.data.request().wish()).batch}")
        except BarsmithError as error:
            form = with_error(form, "form", str(error))
    return _batches(request, batches, queue, paging, form=form, status=422)


@router.post("/batches/{fingerprint}/cancel")
def cancel_from_page(batches: BatchesDep, fingerprint: str) -> Response:
    batches.cancel(fingerprint)
    return redirect_after_post(f"/batches/{fingerprint}")


@router.get("/batches/{fingerprint}")
def batch_page(
    request: Request,
    batches: BatchesDep,
    leaderboard: LeaderboardDep,
    studies: StudiesDep,
    fingerprint: str,
    asked: LeaderboardAsked,
    paging: PageQuery,
    heat: HeatAsked,
) -> Response:
    view, luck = batches.view(fingerprint), leaderboard.luck(fingerprint)
    found = studies.study(fingerprint, view.batch, heat.heat_rows or None, heat.heat_columns or None, heat.heat)
    study = StudyOut.of(found, view)
    halves = studies.halves(fingerprint)
    return render(
        request,
        "batch.html",
        batch=BatchDetailOut.with_members(view, batches.members(view), luck),
        luck=luck_line(luck),
        study=study,
        history=_history(study),
        halves=None if halves is None else HalvesOut.of(halves),
        scatter=None if halves is None else _scatter(HalvesOut.of(halves)),
        decides=charts.bars([(name.replace("_", " "), share) for name, share in study.importance.items()]),
        cells=charts.heatmap(study.heatmap.cells if study.heatmap else []),
        titles=[[f"{count} trials" for count in row] for row in (study.heatmap.trials if study.heatmap else [])],
        how=heat.heat,
        parameters=_parameters(view.batch.space),
        **_board(
            leaderboard,
            asked.model_copy(update={"batch": fingerprint}),
            paging,
            view.batch.space,
            leaderboard.terms(fingerprint),
        ),
    )


@router.get("/leaderboard")
def leaderboard_page(
    request: Request, leaderboard: LeaderboardDep, asked: LeaderboardAsked, paging: PageQuery
) -> Response:
    groups = leaderboard.terms(asked.batch)
    if asked.terms is None and asked.batch is None and groups:
        # figures of other days or costs are not ranked against each other unless somebody asks for that
        asked = asked.model_copy(update={"terms": groups[0].terms})
    return render(
        request,
        "leaderboard.html",
        luck=luck_line(leaderboard.luck(asked.batch, asked.filter(1, 0).terms)),
        **_board(leaderboard, asked, paging, None, groups),
    )


def luck_line(luck: Luck) -> str:
    """Return the sentence that stands beside every best: how good it would look by chance."""
    if luck.best_sharpe is None:
        return (
            f"{luck.trials:,} trials, none with a Sharpe ratio yet. One that never trades has none; its run says how "
            "far the signal goes."
        )
    if luck.sharpe_by_luck is None:
        return f"One trial, Sharpe {luck.best_sharpe:.2f}: nothing was selected, and nothing is proven."
    return (
        f"Best of {luck.trials:,} trials: Sharpe {luck.best_sharpe:.2f}. Luck alone would show about "
        f"{luck.sharpe_by_luck:.2f}: the best of as many worthless trials that spread as these do. "
        "Neither proves anything: only days that no search has seen can."
    ).replace("-", "−")


def _board(
    leaderboard: Leaderboard,
    asked: LeaderboardQuery,
    paging: PageNumbers,
    space: Space | None,
    groups: Sequence[Terms],
) -> dict[str, Any]:
    found, total = leaderboard.page(asked.filter(paging.per_page, paging.offset))
    columns = board_columns(asked, space)
    return {
        "page": paging.of([row_of(trial) for trial in found], total),
        "columns": columns,
        "heads": [column.head for column in columns],
        "every_column": all_columns(),
        "shown": {column.name for column in columns},
        "groups": groups,
        "terms": ALL_TERMS if asked.terms is None else asked.terms,
        "csv": f"/leaderboard.csv?{asked.address()}",
    }


def _history(study: StudyOut) -> charts.Plot:
    count = len(study.sharpe)
    numbers = [float(number) for number in range(count)]
    step = max(1, -(-count // _DOTS))
    return charts.plot(
        [
            charts.Dots(xs=numbers[::step], ys=study.sharpe[::step], tone="bench"),
            charts.Line(xs=numbers, ys=study.best, label="best so far", tone="s1", steps=True)
            if count <= _DOTS
            else charts.Line(**_turns(study.best), label="best so far", tone="s1", steps=True),
        ],
        x_label="trial",
        y_label="Sharpe",
    )


def _scatter(halves: HalvesOut) -> charts.Plot:
    step = max(1, -(-len(halves.first) // _DOTS))
    return charts.plot(
        [charts.Dots(xs=halves.first[::step], ys=halves.second[::step], tone="s1")],
        x_label="Sharpe, first half of the days",
        y_label="Sharpe, second half",
    )


def _turns(best: list[float | None]) -> dict[str, list[float | None]]:
    """Return only the trials at which the best changed, and the last one."""
    at = [n for n in range(len(best)) if n == 0 or best[n] != best[n - 1] or n == len(best) - 1]
    return {"xs": [float(n) for n in at], "ys": [best[n] for n in at]}


def _parameters(space: Space) -> list[str]:
    """Return what a heatmap can show: parameters with several values, not too many to read."""
    pairs = zip(space.names, space.shape, strict=True)
    return [name for name, count in pairs if 1 < count <= MAX_HEATMAP] or list(space.names)


def _batches(
    request: Request,
    batches: Batches,
    queue: Queue,
    paging: PageNumbers,
    *,
    form: Form[BatchForm] | None = None,
    status: int = 200,
) -> Response:
    page = paging.of(*batches.page(paging.per_page, paging.offset))
    return render(request, "batches.html", status=status, page=page, form=form, workers=queue.workers())
