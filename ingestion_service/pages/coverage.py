"""The first page: what there is, the newest jobs, and the forms that bring bars in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from fastapi import Depends, Request, Response

from ingestion_service.domain.coverage import SessionCoverage
from ingestion_service.domain.feed import Feed
from ingestion_service.schemas.intake import ImportForm, IngestForm
from ingestion_service.store.providers import Status
from ingestion_service.use_cases import Agents, Bars, Intake, Monitoring
from shared.contracts.kinds import JobKind
from shared.errors import InvalidInput
from shared.jobs.model import Job
from shared.jobs.queue import Queue
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageNumbers, PageQuery
from shared.web.parts import provided

router = page_router()

BarsDep = Annotated[Bars, Depends(provided(Bars))]
IntakeDep = Annotated[Intake, Depends(provided(Intake))]
QueueDep = Annotated[Queue, Depends(provided(Queue))]
AgentsDep = Annotated[Agents, Depends(provided(Agents))]
MonitoringDep = Annotated[Monitoring, Depends(provided(Monitoring))]

#: sessions of a completeness strip: a quarter
_STRIP = 63
#: what the list of the newest jobs shows, and what each does in words; agents have a page of their own
_SHOWN = {
    JobKind.INGEST_BARS: "fetch",
    JobKind.INGEST_MANY: "fetch together",
    JobKind.IMPORT_FILES: "import",
    JobKind.FILL_GAPS: "fill gaps",
    JobKind.COMPARE_BARS: "compare",
    JobKind.FETCH_ACTIONS: "corporate actions",
}
_NEWEST = 10


@dataclass(frozen=True)
class Strip:
    """A bar for each session, as high as it is complete; `bad`: gap minutes, of all of them."""

    bars: list[tuple[float, bool]]
    bad: int
    label: str


def strip(sessions: Sequence[SessionCoverage]) -> Strip:
    """Return the strip of sessions and what it says in words. A minute without a trade is not missing."""
    bars = [(1 - one.gap_minutes / one.expected, bool(one.gap_minutes)) for one in sessions]
    worst = max(sessions, key=lambda one: one.gap_minutes, default=None)
    bad = sum(one.gap_minutes for one in sessions)
    label = f"last {len(sessions)} sessions: "
    if worst is None or not bad:
        return Strip(bars, bad, label + "complete")
    lacking = sum(lacks for _, lacks in bars)
    return Strip(
        bars,
        bad,
        f"{label}{lacking} with gaps, the worst {worst.date} lacks {worst.gap_minutes} of {worst.expected}",
    )


def feed_words(feed: Feed) -> str:
    """Say what came in the last day: `1,556 of 1,560 bars of 4 symbols came; VIX lacks 3, EDGE 1; no errors`."""
    due, came = sum(hour.expected for hour in feed.hours), sum(hour.stored for hour in feed.hours)
    errors = sum(hour.errors for hour in feed.hours)
    lacking = [one for one in feed.symbols if one.stored < one.expected]
    worst = [f"{one.symbol} lacks {one.expected - one.stored:,}" for one in lacking[:3]]
    if len(lacking) > len(worst):
        worst.append(f"{len(lacking) - len(worst):,} more lack some")
    kind = "symbol" if len(feed.symbols) == 1 else "symbols"
    parts = [f"{came:,} of {due:,} bars of {len(feed.symbols):,} {kind} came" if due else "no session in these hours"]
    parts += [", ".join(worst)] if worst else []
    return "; ".join([*parts, f"{errors:,} {'error' if errors == 1 else 'errors'}" if errors else "no errors"])


def job_about(job: Job) -> str:
    """Say what a job is about: `import year.parquet`, `fetch SPY`, `fetch together SPY, QQQ and 498 more`."""
    verb, payload = _SHOWN[JobKind(job.kind)], job.payload
    if job.kind == JobKind.IMPORT_FILES:
        return f"{verb} {PurePath(str(payload['path'])).name}"
    if job.kind == JobKind.INGEST_MANY:
        symbols = list(payload["symbols"])
        more = f" and {len(symbols) - 3:,} more" if len(symbols) > 3 else ""
        return f"{verb} {', '.join(symbols[:3])}{more}"
    return f"{verb} {payload['symbol']}"


def job_outcome(job: Job) -> str:
    """Say what a job that is done brought: `22,470 rows stored; 3 × stale`, `8 of 10 gap minutes fetched, 2 filled`."""
    result = job.result
    if result is None:
        return ""
    if job.kind == JobKind.FILL_GAPS:
        before, after = int(result["gap_minutes_before"]), int(result["gap_minutes"])
        return f"{before - after:,} of {before:,} gap minutes fetched, {int(result['filled']):,} filled"
    if job.kind == JobKind.COMPARE_BARS:
        agreed, minutes = int(result["agreed"]), int(result["minutes"])
        replaced = int(result["contradicted"])
        return f"{agreed:,} of {minutes:,} minutes agree with {result['provider']}, {replaced:,} replaced"
    if job.kind == JobKind.FETCH_ACTIONS:
        return f"{int(result['actions']):,} from {result['provider']}" if result["provider"] else "none"
    parts = [f"{int(result['stored']):,} rows stored"]
    if replaced := result.get("replaced"):
        parts.append(f"{replaced:,} of them in place of others")
    if withdrawn := result.get("withdrawn"):
        parts.append(f"{withdrawn:,} stored before withdrawn")
    parts += [f"{rows:,} × {reason}" for reason, rows in result["rejected"].items()]
    if failed := result.get("failed"):
        parts.append(f"no bars of {', '.join(list(failed)[:3])}")
    return "; ".join(parts)


def source_words(status: Status) -> str:
    """Name a provider, and say so when it can be asked for coins alone."""
    return f"{status.provider}, coins only" if status.lacks_for_stocks else status.provider


class Home:
    """What the first page needs, also when it is shown again with a form that was not right."""

    def __init__(
        self,
        request: Request,
        bars: BarsDep,
        intake: IntakeDep,
        queue: QueueDep,
        agents: AgentsDep,
        monitoring: MonitoringDep,
    ) -> None:
        self._request, self._bars, self._intake, self._queue = request, bars, intake, queue
        self._agents, self._monitoring = agents, monitoring

    def render(
        self,
        paging: PageNumbers | None = None,
        sort: str = "symbol",
        search: str = "",
        *,
        ingest_form: Form[IngestForm] | None = None,
        import_form: Form[ImportForm] | None = None,
    ) -> Response:
        paging = paging or PageNumbers()
        found, total = self._bars.coverage_and_sessions(
            search=search, sort=sort, offset=paging.offset, limit=paging.per_page
        )
        feed, providers = self._monitoring.feed(), self._intake.providers
        return render(
            self._request,
            "coverage.html",
            status=422 if ingest_form or import_form else 200,
            page=paging.of([covered for covered, _ in found], total),
            search=search,
            stored=len(self._bars.stocks()) if search else total,
            sessions=_STRIP,
            strips={covered.symbol: strip(sessions[-_STRIP:]) for covered, sessions in found},
            agents=self._agents.all(),
            feed=feed,
            feed_words=feed_words(feed),
            jobs=[(job, job_about(job), job_outcome(job)) for job in self._queue.newest(_SHOWN, _NEWEST)],
            shown_kinds=list(_SHOWN),
            providers=providers,
            sources=[
                ("", "the chain"),
                *((one.provider, source_words(one)) for one in providers.status() if not one.lacks),
            ],
            ingest_form=ingest_form,
            import_form=import_form,
        )


HomeDep = Annotated[Home, Depends()]


@router.get("/")
def coverage_page(home: HomeDep, paging: PageQuery, sort: str = "symbol", search: str = "") -> Response:
    return home.render(paging, sort, search)


@router.get("/coverage")
def coverage_page_by_name(home: HomeDep, paging: PageQuery, sort: str = "symbol", search: str = "") -> Response:
    return home.render(paging, sort, search)


@router.post("/ingest")
def submit_ingest(submitted: SubmittedForm, intake: IntakeDep, home: HomeDep) -> Response:
    form = check_form(IngestForm, submitted)
    if form.data is None:
        return home.render(ingest_form=form)
    field = "provider"
    try:
        for symbol in form.data.symbols:
            intake.providers.check(form.data.provider, symbol)
        field = "start"
        job_ids = intake.submit(form.data.requests(form.data.symbols))
    except InvalidInput as error:
        return home.render(ingest_form=with_error(form, field, str(error)))
    return redirect_after_post(f"/jobs/{job_ids[0]}" if len(job_ids) == 1 else "/jobs")


@router.post("/import")
def submit_import(submitted: SubmittedForm, intake: IntakeDep, home: HomeDep) -> Response:
    form = check_form(ImportForm, submitted)
    if form.data is None:
        return home.render(import_form=form)
    try:
        return redirect_after_post(f"/jobs/{intake.submit_import(form.data.request())}")
    except InvalidInput as error:
        return home.render(import_form=with_error(form, "path", str(error)))
