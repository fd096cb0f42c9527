"""The heartbeat of a worker: keeps the leases of the jobs it holds, from a thread of the parent process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from shared.jobs.model import Beat, Report
from shared.jobs.transport import JobTransport

log = logging.getLogger(__name__)

#: After a heartbeat that found nobody.
RETRY_S = 1.0
#: how many beats a lease is worth: all but one may be lost
_BEATS = 6
#: news of how far a job is wait no longer than that for the next beat
NEWS_S = 1.0


class Heart:
    """Beats for the jobs of one claim at a time.

    Time is counted from when a request was *sent*: the lease that its answer grants began no earlier than that.
    """

    def __init__(self, transport: JobTransport) -> None:
        self._transport = transport
        self._changed = threading.Condition()
        self._token: UUID | None = None
        self._reports: dict[int, Report] = {}
        self._stops: dict[int, Beat] = {}
        self._lease_s = 0.0
        self._acknowledged = 0.0
        self._sent = 0.0
        self._due = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._beat_for_ever, name="heart", daemon=True)
        self._thread.start()

    def hold(self, token: UUID, job_ids: Iterable[int], asked_at: float, lease: timedelta) -> None:
        """Keep these jobs, claimed by a request sent at `asked_at` (monotonic seconds)."""
        with self._changed:
            self._token = token
            self._reports = {job_id: Report() for job_id in job_ids}
            self._stops = {}
            self._lease_s = lease.total_seconds()
            self._acknowledged = self._sent = asked_at
            self._due = asked_at + self._lease_s / _BEATS
            self._changed.notify()

    def report(self, job_id: int, report: Report) -> None:
        """Remember how far a job is, for the next beat, which news bring closer."""
        with self._changed:
            known = self._reports.get(job_id)
            if known is not None and known != report:
                self._reports[job_id] = report
                self._due = min(self._due, self._sent + NEWS_S)
                self._changed.notify()

    def let_go(self, job_id: int) -> None:
        """Stop keeping a job."""
        with self._changed:
            self._reports.pop(job_id, None)

    def verdict(self, job_id: int) -> Beat:
        """Return whether to go on with a job; LOST also when nobody confirmed its lease for as long as it lasts."""
        with self._changed:
            if time.monotonic() > self._acknowledged + self._lease_s:
                return Beat.LOST
            return self._stops.get(job_id, Beat.OK)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=RETRY_S)

    def _beat_for_ever(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                pause = self._due - time.monotonic()
                if self._token is None or not self._reports or pause > 0:
                    # woken early by a new claim, or by the end
                    self._changed.wait(pause if self._reports else None)
                    continue
                token, reports = self._token, dict(self._reports)
            self._beat(token, reports)

    def _beat(self, token: UUID, reports: dict[int, Report]) -> None:
        self._sent = sent = time.monotonic()
        try:
            beats = self._transport.heartbeat(token, reports)
        except Exception as error:  # noqa: BLE001 - this thread must not die: the leases would
            log.warning("heartbeat failed", extra={"action": "heartbeat_failed", "reason": str(error)})
            with self._changed:
                self._due = time.monotonic() + min(RETRY_S, self._lease_s / _BEATS)
            return
        with self._changed:
            if token != self._token:
                return  # an answer about an earlier claim
            self._acknowledged = sent
            # what was reported meanwhile is news already
            every = self._lease_s / _BEATS
            self._due = sent + (every if self._reports == reports else min(NEWS_S, every))
            self._stops.update({job_id: beat for job_id, beat in beats.items() if beat is not Beat.OK})
