"""Builds that overlap, done by real worker processes at once: each block is made once, also when one of them dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from features_support import house

from feature_service.domain.blocks import Month, fit_fingerprint
from feature_service.domain.catalogue import CORE, SETS
from feature_service.store import Store
from feature_service.use_cases import making
from feature_service.use_cases.gathering import monthly_bars
from feature_service.use_cases.making import past_hash
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M
from shared.contracts.messages import BuildFeatures, Window
from shared.jobs.context import JobContext
from shared.jobs.model import JobState
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars
from shared.testing.waiting import eventually

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
LATER, MONTHS = datetime(2025, 7, 1, tzinfo=UTC), 18
#: its jobs are taken back two seconds after its death instead of thirty
WORKER = """
from datetime import timedelta
from feature_service import worker
from feature_service.settings import Settings
from shared.jobs.model import Timing
from shared.jobs.worker import run_worker
short = timedelta(seconds=0.2)
timing = Timing(lease=timedelta(seconds=2), backoff=short, rescue_every=short, poll_every=short)
run_worker(Settings(), worker.LOADERS, timing=timing)
"""


@pytest.fixture
def service(settings):
    with house(settings, {"SPY": 1}, START, END) as wired:
        yield wired


@contextmanager
def crew(settings, count):
    """Start so many workers; end those that still live."""
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "BARSMITH_HOME": str(settings.home),
    }
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stderr=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(timeout=15)


def submit(service, *spans):
    requests = [BuildFeatures(symbol="SPY", window=Window(start=a, end=b), feature_set="core") for a, b in spans]
    return service.builds.submit(requests)


def finished(service, jobs):
    queue = service.resources.queue
    eventually(lambda: all(queue.job(job).state.ended for job in jobs), timeout=90, what="the builds have ended")
    found = [queue.job(job) for job in jobs]
    assert [(job.state, job.error) for job in found] == [(JobState.COMPLETED, None)] * len(jobs)
    return [job.result for job in found]


def made(service):
    """How often each block was made."""
    with service.resources.database.transaction() as conn:
        return [row["times"] for row in conn.execute("select times from features.made").fetchall()]


def makers(service):
    """The sessions of the database that have the right to make a block now."""
    held = "select pid from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and granted"
    with service.resources.database.transaction() as conn:
        return {row["pid"] for row in conn.execute(held).fetchall()}


def sessions(service):
    with service.resources.database.transaction() as conn:
        return {row["pid"] for row in conn.execute("select pid from pg_stat_activity").fetchall()}


def test_overlapping_builds_of_two_workers_make_each_month_once_and_share_them(service, settings):
    jobs = submit(service, (START, END), (datetime(2024, 3, 1, tzinfo=UTC), END))
    with crew(settings, 2):
        one, other = finished(service, jobs)
    assert (one["months"], other["months"]) == (6, 4)
    by_one, by_other = ({block["month"] for block in result["built"]} for result in (one, other))
    assert by_one.isdisjoint(by_other)
    assert len(by_one | by_other) == 6
    assert made(service) == [1] * 6
    assert service.features.build_counts().blocks_made_twice == 0


def test_what_a_killed_worker_was_making_is_made_by_another_and_what_it_had_made_is_kept(service, settings):
    queue = service.resources.queue
    # so many months that a fast machine has not made them all before anybody looked
    service.resources.lake.upsert(BARS_1M, reverting_bars("SPY", END, LATER, seed=2))
    [first] = submit(service, (START, LATER))
    with crew(settings, 1) as [victim]:
        eventually(lambda: len(made(service)) >= 2, timeout=60, what="two blocks are made")
        maker = eventually(lambda: makers(service), what="a third one is being made")
        victim.send_signal(signal.SIGKILL)
        eventually(lambda: not maker & sessions(service), what="its right ends with it")
        assert queue.job(first).state is JobState.RUNNING
    before = len(made(service))
    [second] = submit(service, (datetime(2024, 2, 1, tzinfo=UTC), LATER))
    with crew(settings, 2):
        retried, beside = finished(service, [first, second])
    assert queue.job(first).attempt == 2
    assert made(service) == [1] * MONTHS
    assert len(retried["built"]) >= before  # what the first attempt made is the job's too
    assert len(retried["built"]) + len(beside["built"]) == MONTHS
    assert service.features.build_counts().misses == MONTHS


def test_two_symbols_that_begin_at_once_share_the_fits_of_their_market(service, settings):
    for seed, symbol in enumerate(("VIXY", "QQQ", "OTHER"), start=2):
        service.resources.lake.upsert(BARS_1M, reverting_bars(symbol, START, END, seed=seed))
    window = Window(start=START, end=END)
    asked = [BuildFeatures(symbol=symbol, window=window, feature_set="regime") for symbol in ("SPY", "OTHER")]
    with crew(settings, 2):
        results = finished(service, service.builds.submit(asked))
    fits = [fit["fingerprint"] for result in results for fit in result["fits"]]
    assert len(set(fits)) == len(fits) == 6, "one a month, whoever came first"
    assert sum(result["fits_reused"] for result in results) == 6
    counts = service.features.build_counts()
    assert (counts.fits_made, counts.fits_reused) == (6, 6)


def test_a_fit_whose_maker_hangs_is_made_after_a_while_all_the_same(service, settings, monkeypatch):
    monkeypatch.setattr(making, "_FIT_PATIENCE_S", 0.3)
    store = Store(service.resources.database, service.resources.lake)
    for seed, symbol in enumerate(("VIXY", "QQQ"), start=2):
        service.resources.lake.upsert(BARS_1M, reverting_bars(symbol, START, END, seed=seed))
    june = BuildFeatures(symbol="SPY", window=Window(start=datetime(2024, 6, 1, tzinfo=UTC), end=END))
    regime = SETS["regime"]
    [fit] = regime.fits
    gathered = monthly_bars(store, settings.roles, regime, "SPY").gather(regime, "SPY", Month(2024, 6))
    name = fit_fingerprint(fit, past_hash(fit, gathered))
    with store.turn_at_fit(name) as hanging:
        assert (hanging.mine, hanging.known) == (True, None)
        service.builds.submit([june.model_copy(update={"feature_set": "regime"})])
        with handlers(settings) as known:
            [done] = run_pending(service.resources.queue, known)
    assert (done.state, [one["fingerprint"] for one in done.result["fits"]]) == (JobState.COMPLETED, [name])


def test_a_month_whose_maker_hangs_is_made_after_a_while_all_the_same(service, settings, monkeypatch):
    monkeypatch.setattr(making, "_PATIENCE_S", 0.3)
    june = Window(start=datetime(2024, 6, 1, tzinfo=UTC), end=END)
    store = Store(service.resources.database, service.resources.lake)
    with store.turn(CORE.id, "SPY", ["2024-06"]) as hanging:
        assert hanging.mine == {"2024-06"}
        [job] = service.builds.submit([BuildFeatures(symbol="SPY", window=june)])
        with handlers(settings) as known:
            [done] = run_pending(service.resources.queue, known)
    assert (done.id, done.state, len(done.result["built"])) == (job, JobState.COMPLETED, 1)


def test_a_build_that_began_before_bars_were_revised_takes_what_a_later_one_made_of_them(service, settings):
    store = Store(service.resources.database, service.resources.lake)
    june = Window(start=datetime(2024, 6, 1, tzinfo=UTC), end=END)
    ctx = JobContext(job_id=999, kind="", payload={}, priority=0, attempt=1, token=uuid4())
    early = making.Making(store, {}, CORE, "SPY", ctx.job_id, lambda _: None)
    revised = reverting_bars("SPY", datetime(2024, 6, 24, tzinfo=UTC), END, seed=2)
    service.resources.lake.upsert(BARS_1M, revised)
    service.builds.submit([BuildFeatures(symbol="SPY", window=june)])
    with handlers(settings) as known:
        run_pending(service.resources.queue, known)
    newer = store.content_hashes(CORE.id, "SPY")
    early.bring([Month(2024, 6)], ctx)
    assert early.built == []
    assert store.content_hashes(CORE.id, "SPY") == newer
