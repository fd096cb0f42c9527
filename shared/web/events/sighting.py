"""One look at the queue: everything live pages show, as plain data to compare with the look before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.jobs.model import JobState, WorkerInfo
from shared.jobs.queue import Queue
from shared.storage.queries import Queries
from shared.web.formats import last_line

#: what can be listened to
TOPICS = ("jobs", "workers")
#: a worker's "last seen" is told in steps of this, so an idle house stays silent
SEEN_STEP_S = 10


@dataclass
class _Watched:
    id: int
    kind: str
    state: str
    attempt: int
    max_attempts: int
    worker_id: str | None
    progress: float
    note: str
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


#: topic -> entity id -> what a page shows of it
Sighting = Mapping[str, Mapping[str, Mapping[str, Any]]]


def look(queue: Queue, job_ids: Iterable[int]) -> Sighting:
    """Return what the queue shows now; the named jobs are included however old they are. Raises Unavailable."""
    with queue.database.transaction() as conn:
        jobs = Queries.of("shared.web").rows(conn, "watched", _Watched, ids=list(job_ids))
    return {
        "jobs": {str(job.id): _job(job) for job in jobs},
        "workers": {worker.id: _worker(worker) for worker in queue.workers()},
    }


def unfinished(sighting: Sighting) -> list[int]:
    """Ids of the jobs that had not ended, to be looked at again."""
    return [job["id"] for job in sighting.get("jobs", {}).values() if not JobState(job["state"]).ended]


def _job(job: _Watched) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "worker": job.worker_id or "",
        "progress": round(job.progress, 4),
        "note": job.note,
        "error": last_line(job.error) if job.error else "",
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }


def _worker(worker: WorkerInfo) -> dict[str, Any]:
    seen = worker.last_seen.timestamp()
    return {
        "id": worker.id,
        "lost": worker.lost,
        "job": worker.job_id,
        "kind": worker.kind or "",
        "last_seen": datetime.fromtimestamp(seen - seen % SEEN_STEP_S, worker.last_seen.tzinfo).isoformat(),
    }
