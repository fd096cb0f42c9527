"""Taking back the jobs of workers that died. Every worker and every service does it; none is special."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Unavailable
from shared.jobs.queue import Queue

log = logging.getLogger(__name__)


@contextmanager
def rescuing(queue: Queue) -> Iterator[None]:
    """Look for expired leases every few seconds, in a thread, while the block runs."""
    stop = threading.Event()
    thread = threading.Thread(target=_rescue_until, args=(queue, stop), name="rescuer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=1.0)


def _rescue_until(queue: Queue, stop: threading.Event) -> None:
    while not stop.wait(queue.timing.rescue_every.total_seconds()):
        try:
            rescued = queue.rescue()
        except Unavailable:
            continue  # whoever needs the database says so
        except Exception:
            log.exception("rescue failed", extra={"action": "rescue_failed"})
            continue
        if rescued:
            log.warning("jobs taken back", extra={"action": "rescued", "jobs": rescued})
