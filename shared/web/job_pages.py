"""Jobs and workers as pages, on every service."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request, Response

from shared.jobs.model import JobState
from shared.web.formats import csv_url
from shared.web.job_views import QueueDep
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageQuery

router = page_router()
_WORDS = {"waiting": JobState.PENDING, "done": JobState.COMPLETED}


def state_from_word(word: str) -> JobState | None:
    """Return the state that a page's word or its own name means; None for "" and for words that mean none."""
    known = _WORDS.get(word.lower())
    return known or next((state for state in JobState if state.value == word.upper()), None)


@router.get("/jobs")
def jobs_page(request: Request, queue: QueueDep, paging: PageQuery, kind: str = "", state: str = "") -> Response:
    """Queues, jobs and workers; a state that is none is said to be none."""
    known = state_from_word(state)
    found = queue.jobs(kind=kind or None, state=known, page=paging.page, per_page=paging.per_page)
    return render(
        request,
        "shared/jobs.html",
        page=paging.of(*found),
        queues=queue.activity(),
        workers=queue.workers(),
        filtered={"kind": kind, "state": state if known else ""},
        unknown_state="" if known else state,
        states=list(JobState),
        # the page's words are not those of the JSON route, which its file comes from
        csv=csv_url(request, "/jobs", "kind", **({"state": known.value} if known else {})),
    )


@router.get("/workers")
def workers_page(request: Request, queue: QueueDep) -> Response:
    """Workers of all services: what they do, and what they can do."""
    return render(request, "shared/workers_page.html", workers=queue.workers())


@router.get("/jobs/{job_id:int}")
def job_page(request: Request, queue: QueueDep, job_id: int) -> Response:
    """One job: its progress while it lives, its result or error afterwards."""
    return render(request, "shared/job.html", **_job_context(queue, job_id))


@router.get("/jobs/{job_id:int}/panel")
def job_panel(request: Request, queue: QueueDep, job_id: int) -> Response:
    """Show the part of the job's page that changes, for the page's own script."""
    return render(request, "shared/job_panel.html", **_job_context(queue, job_id))


@router.post("/jobs/{job_id:int}/cancel")
def cancel_from_page(queue: QueueDep, job_id: int) -> Response:
    """Call a job off and show it."""
    queue.cancel(job_id)
    return redirect_after_post(f"/jobs/{job_id}")


@router.post("/jobs/{job_id:int}/again")
def do_again_from_page(queue: QueueDep, job_id: int) -> Response:
    """Do a failed or cancelled job once more, and show the new one."""
    return redirect_after_post(f"/jobs/{queue.again(job_id)}")


def _job_context(queue: QueueDep, job_id: int) -> dict[str, Any]:
    job = queue.job(job_id)
    shown = {name: json.dumps(getattr(job, name), indent=2, sort_keys=True) for name in ("payload", "result")}
    return {"job": job, "attempts": queue.attempts(job_id), **shown}
