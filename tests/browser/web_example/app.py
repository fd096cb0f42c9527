"""A tiny service that uses every part of the shared frame: the browser tests drive it.

DATABASE_URL=... BARSMITH_TRAINING_URL=http://127.0.0.1:8200 python -m web_example.app
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from shared.clock import SystemClock
from shared.errors import NotFound
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.jobs.resources import Resources
from shared.settings import ServiceSettings
from shared.storage.lake import Lake, migrate_lake
from shared.storage.postgres import Database
from shared.web import charts
from shared.web.accepted import Accepted, accepted
from shared.web.dag_layout import Node, layout
from shared.web.forms import SubmittedForm, check_form
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import Page, PageNumbers, PageQuery
from shared.web.run import run
from shared.web.service import create_service, provided


class Settings(ServiceSettings):
    name: str = "training"


class Run(BaseModel):
    id: int
    symbol: str
    state: str
    sharpe: float
    total_return: float


class Start(BaseModel):
    symbol: str = Field(pattern="^[A-Z]{1,6}$")
    folds: int = Field(default=6, ge=2, le=20)


class Runs:
    """250 invented runs, and a way to start a job."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        states = ("completed", "failed", "running", "champion", "retired")
        self._all = [
            Run(
                id=index,
                symbol=("SPY", "QQQ", "EDGE")[index % 3],
                state=states[index % 5],
                sharpe=math.sin(index) * 2,
                total_return=math.cos(index) / 3,
            )
            for index in range(1, 251)
        ]

    def page(self, paging: PageNumbers, sort: str, symbol: str) -> tuple[list[Run], int]:
        found = [run for run in self._all if symbol.upper() in run.symbol]
        found.sort(key=lambda run: getattr(run, sort.lstrip("-")), reverse=sort.startswith("-"))
        return found[paging.offset : paging.offset + paging.per_page], len(found)

    def one(self, run_id: int) -> Run:
        if not 1 <= run_id <= len(self._all):
            raise NotFound(f"there is no run {run_id}: runs go from 1 to {len(self._all)}")
        return self._all[run_id - 1]

    def start(self, asked: Start) -> int:
        [job_id] = self._queue.submit([Submission(kind="training.train", payload=asked.model_dump())])
        return job_id


RunsDep = Annotated[Runs, Depends(provided(Runs))]
router = APIRouter()
pages = page_router()


def _list(request: Request, runs: Runs, paging: PageNumbers, sort: str, symbol: str, **more: Any) -> Response:
    page = paging.of(*runs.page(paging, sort, symbol))
    return render(request, "runs.html", page=page, **{"form": None, **more})


@pages.get("/")
def front(request: Request, runs: RunsDep, paging: PageQuery, sort: str = "-sharpe", symbol: str = "") -> Response:
    return _list(request, runs, paging, sort, symbol)


@pages.post("/runs")
def start_from_form(request: Request, runs: RunsDep, submitted: SubmittedForm, paging: PageQuery) -> Response:
    form = check_form(Start, submitted)
    if form.data is None:
        return _list(request, runs, paging, "-sharpe", "", form=form, status=422)
    return redirect_after_post(f"/jobs/{runs.start(form.data)}")


@pages.get("/runs/{run_id}")
def run_page(request: Request, runs: RunsDep, run_id: int) -> Response:
    names = [f"m{index:03d}" for index in range(24)]
    links = [(names[(index - 1) // 2], names[index]) for index in range(1, 24)]
    links += [("m000", "m017"), ("m002", "m021"), ("m004", "m012")]
    looks = ("champion", "", "fail", "off")
    nodes = [
        Node(id=n, title=n, subtitle="candidate 0.84", look=looks[i % 4], url=f"/runs/{i + 1}")
        for i, n in enumerate(names)
    ]
    trials = list(range(400))
    noise = [math.sin(t * 12.9898) * math.cos(t * 78.233) for t in trials]
    best = [max(noise[: t + 1]) for t in trials]
    steps = [0.05 + 0.1 * i for i in range(10)]
    values = [[math.sin(row * 1.3 + column) * 3 for column in range(8)] for row in range(12)]
    values[3][4] = None
    return render(
        request,
        "run.html",
        run=runs.one(run_id),
        graph=layout(nodes, links),
        study=charts.plot(
            [charts.Dots(xs=trials, ys=noise), charts.Line(xs=trials, ys=best, steps=True, label="best so far")],
            x_label="trial",
            y_label="objective",
        ),
        calibration=charts.plot(
            [
                charts.Line(xs=[0, 1], ys=[0, 1], label="perfect", tone="bench"),
                charts.Points(
                    xs=steps,
                    ys=[s * 0.9 + 0.04 for s in steps],
                    lows=[s * 0.9 - 0.02 for s in steps],
                    highs=[s * 0.9 + 0.1 for s in steps],
                    label="observed",
                ),
            ],
            x_label="predicted probability",
            y_label="observed",
        ),
        importance=charts.bars([("ret_15", 0.92), ("vol_ratio_60", 0.66), ("rsi_14", 0.44), ("vwap_dev", -0.12)]),
        cells=charts.heatmap(values),
        rows=[f"{0.5 + 0.02 * i:.2f}" for i in range(12)],
        columns=["up calm", "up wild", "flat", "down calm", "down wild", "crash", "thin", "news"],
    )


@router.get("/runs")
def list_runs(runs: RunsDep, paging: PageQuery, sort: str = "-sharpe", symbol: str = "") -> Page[Run]:
    return paging.of(*runs.page(paging, sort, symbol))


@router.get("/runs.csv")
def runs_csv(runs: RunsDep) -> PlainTextResponse:
    rows, _ = runs.page(PageNumbers(per_page=500), "-sharpe", "")
    return PlainTextResponse("\n".join(f"{row.id},{row.symbol},{row.sharpe}" for row in rows), media_type="text/csv")


@router.post("/runs", status_code=202)
def start_run(body: Start, runs: RunsDep) -> Accepted:
    return accepted(runs.start(body))


@router.get("/runs/{run_id}/equity")
def equity(run_id: int) -> dict[str, list[float | None]]:
    del run_id
    start, n = 1_704_067_200, 2_000
    return {
        "time": [start + 3_600 * i for i in range(n)],
        "strategy": [1 + i / 6_000 + math.sin(i / 40) * 0.02 for i in range(n)],
        "hold": [1 + i / 9_000 + math.sin(i / 60) * 0.05 for i in range(n)],
        "hit": [None if i < 100 else 0.53 + math.sin(i / 25) * 0.02 for i in range(n)],
    }


@router.get("/runs/{run_id}/candles")
def candles(run_id: int) -> dict[str, Any]:
    del run_id
    start, n = 1_704_067_200, 400
    close = [500 + 20 * math.sin(i / 30) + 3 * math.sin(i * 1.7) for i in range(n)]
    opened = [close[max(0, i - 1)] for i in range(n)]
    return {
        "time": [start + 1_800 * i for i in range(n)],
        "open": opened,
        "high": [max(a, b) + 1.5 for a, b in zip(opened, close, strict=True)],
        "low": [min(a, b) - 1.5 for a, b in zip(opened, close, strict=True)],
        "close": close,
        "volume": [1_000 + 400 * abs(math.sin(i)) for i in range(n)],
        "markers": [
            {"time": start + 1_800 * 60, "side": "long", "text": ""},
            {"time": start + 1_800 * 200, "side": "short", "text": ""},
        ],
    }


@router.get("/fails")
def fails() -> None:
    raise RuntimeError("password=hunter2")


@dataclass(frozen=True)
class Wired:
    resources: Resources
    runs: Runs


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    database = Database(settings.database_url.get_secret_value(), application_name=settings.name)
    try:
        queue = Queue(database)
        queue.migrate()
        migrate_lake(database)
        lake = Lake(database, settings.lake_root, SystemClock())
        yield Wired(Resources(settings, database, lake, queue, SystemClock()), Runs(queue))
    finally:
        database.close()


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] - from the environment
    Path(settings.home).mkdir(parents=True, exist_ok=True)
    return create_service(
        settings, title="Example", assemble=partial(assemble, settings), routers=[pages, router], package="web_example"
    )


if __name__ == "__main__":
    run("web_example.app:create_app", Settings())  # pyright: ignore[reportCallIssue]
