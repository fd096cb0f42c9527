"""Sealed days: nothing reads them without a look, a look is never given back, and there are only so many."""

from datetime import timedelta
from uuid import uuid4

import polars as pl
import pytest
from orchestrator_support import house

from orchestrator_service.domain.plan import SearchPlan
from orchestrator_service.domain.records import RunState
from orchestrator_service.store import Registry, Series
from orchestrator_service.use_cases.confirmation import wanted_vintage
from shared.contracts.datasets import PREDICTIONS, TS
from shared.contracts.kinds import JobKind
from shared.errors import Conflict
from shared.jobs.context import JobContext
from shared.jobs.model import EffectFailed, Outcome

PLAN = SearchPlan(select_sessions=120, confirm_sessions=130, horizons=(5,), generations=1, seed=3)


@pytest.fixture
def edge(database_url, data_dir, lake):
    with house(database_url, data_dir, lake, skill={"EDGE": 0.35}) as made:
        yield made


def judged(house) -> tuple[JobContext, Outcome]:
    """Claim the waiting judge and compute, but not store, its outcome."""
    token = uuid4()
    [job] = house.wired.resources.queue.claim([JobKind.JUDGE], 1, token, "w").jobs
    ctx = JobContext(job_id=job.id, kind=job.kind, payload=job.payload, priority=0, attempt=1, token=token)
    return ctx, house.wired.evolution.judge(ctx)


def log_look(database, run: str, vintage: str) -> None:
    with database.transaction() as conn:
        conn.execute("select orchestrator.log_look(%s, %s, '[]')", [run, vintage])


def test_the_look_is_logged_with_the_first_sealed_prediction_and_stays_when_all_die(edge):
    runs = edge.wired.runs
    [started], _ = runs.start(PLAN, ["EDGE"])
    edge.work(without=(JobKind.JUDGE,))
    ctx, outcome = judged(edge)
    assert runs.show(started.run.id).look is None
    queue = edge.wired.resources.queue
    assert queue.jobs(kind=JobKind.PREDICT)[1] == 0
    queue.complete(ctx.job_id, ctx.token, outcome)
    view = runs.show(started.run.id)
    assert view.look is not None
    assert (view.run.stage, view.look.passed, view.account.left) == ("confirming", None, 9)
    assert queue.jobs(kind=JobKind.PREDICT)[1] == view.funnel.nominated > 0
    assert "the holdout is being read" in view.sentence


def test_a_run_that_ended_meanwhile_takes_no_look_and_reads_nothing(edge):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    edge.work(without=(JobKind.JUDGE,))
    ctx, outcome = judged(edge)
    assert "nomination" in outcome.result
    Registry(edge.wired.resources.database).end(started.run.id, RunState.CANCELLED, "test")
    queue = edge.wired.resources.queue
    with pytest.raises(EffectFailed, match="ended before its look was logged"):
        queue.complete(ctx.job_id, ctx.token, outcome)
    assert edge.wired.runs.show(started.run.id).look is None
    assert queue.jobs(kind=JobKind.PREDICT)[1] == 0


def test_the_eleventh_look_is_refused(edge):
    runs, database = edge.wired.runs, edge.wired.resources.database
    registry, series = Registry(database), Series(edge.wired.resources.lake)
    others = [runs.start(PLAN.model_copy(update={"seed": seed}), ["EDGE"])[0][0].run for seed in range(20, 31)]
    account = registry.open_account(wanted_vintage("EDGE", PLAN, others[0].periods, series))
    for run in others[:9]:
        log_look(database, run.id, account.vintage.id)
    log_look(database, others[0].id, account.vintage.id)  # the same run's look counts once
    assert runs.show(others[0].id).account.left == 1
    log_look(database, others[9].id, account.vintage.id)
    with pytest.raises(Exception, match="has no look left: all 10 are spent"):
        log_look(database, others[10].id, account.vintage.id)
    for run in others:
        runs.cancel(run.id)
    [started], _ = runs.start(PLAN, ["EDGE"])
    edge.work()
    view = runs.show(started.run.id)
    assert view.run.state is RunState.COMPLETED
    assert view.run.evidence.passed
    assert "all 10 looks at this holdout are spent" in view.sentence
    assert edge.world.predicted == []


def test_a_holdout_is_not_worn_out_more_slowly_by_asking_for_more_looks(edge):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    edge.work()
    assert edge.wired.runs.show(started.run.id).account.left == 9
    generous = PLAN.model_copy(update={"rules": PLAN.rules.model_copy(update={"looks": 100})})
    with pytest.raises(Conflict, match=r"opened with 10 looks at a joint error of 0\.05"):
        edge.wired.runs.start(generous, ["EDGE"])
    # one session fewer is the same holdout, and so is another cost model
    dearer = PLAN.model_copy(update={"costs": PLAN.costs.model_copy(update={"half_spread_bps": 3.0})})
    [second], _ = edge.wired.runs.start(dearer, ["EDGE"])
    assert second.run.id != started.run.id
    assert second.account.left == 9


def test_an_artefact_changed_after_nomination_promotes_nothing_and_the_look_is_spent(edge):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    edge.work(without=(JobKind.PREDICT,))
    look = edge.wired.runs.show(started.run.id).look
    edge.world.models[look.members[0].model]["artefact_sha256"] = "0" * 64
    edge.work()
    view = edge.wired.runs.show(started.run.id)
    assert view.run.state is RunState.FAILED
    assert "changed after its nomination" in view.run.reason
    assert (view.account.left, view.look.passed) == (9, None)
    assert edge.wired.runs.promoted(limit=1) == ([], 0)
    # begun again it finds its look spent already, and takes no second one
    edge.wired.runs.start(PLAN, ["EDGE"])
    edge.world.models.clear()
    edge.work()
    again = edge.wired.runs.show(started.run.id)
    assert again.run.state is RunState.COMPLETED, again.run.reason
    assert (again.look.number, again.account.left) == (1, 9)


def test_a_failed_sealed_simulation_spends_the_look(edge):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    edge.work(without=(JobKind.PREDICT,))
    queue = edge.wired.resources.queue
    waiting, _ = queue.jobs(kind=JobKind.PREDICT)
    queue.cancel(waiting[0].id)
    edge.work()
    view = edge.wired.runs.show(started.run.id)
    assert view.run.state is RunState.FAILED
    assert "could not predict over the holdout" in view.run.reason
    assert view.account.left == 9


def test_sealed_bars_are_not_handed_out_without_a_look(edge):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    with pytest.raises(Conflict, match="the holdout is sealed"):
        Series(edge.wired.resources.lake).sealed_bars(None, "EDGE", started.run.periods.confirm.window)


def test_days_that_another_model_was_tried_on_confirm_nothing(edge):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    sealed = started.run.periods.confirm.window
    lake = edge.wired.resources.lake
    frame = pl.DataFrame({"ts": [sealed.start_utc + timedelta(days=30)]}, schema={"ts": TS}).select(
        pl.lit("f" * 64).alias("model"),
        pl.lit("EDGE").alias("symbol"),
        "ts",
        prediction=0.001,
        fold=pl.lit(-1, pl.Int16),
    )
    lake.upsert(PREDICTIONS, frame)
    edge.work()
    view = edge.wired.runs.show(started.run.id)
    assert view.run.evidence.passed
    assert "1 models were tried on this holdout without a look, the first is ffffffffff" in view.run.reason
    assert (view.look, view.account.left, edge.world.predicted) == (None, 10, [])


def test_days_that_an_earlier_search_chose_on_confirm_nothing(edge):
    runs = edge.wired.runs
    short = PLAN.model_copy(update={"confirm_sessions": 125})
    [first], _ = runs.start(short, ["EDGE"])
    edge.work()
    assert runs.show(first.run.id).look is not None
    read = len(edge.world.predicted)
    [second], _ = runs.start(PLAN, ["EDGE"])
    edge.work()
    view = runs.show(second.run.id)
    assert view.run.evidence.passed
    assert f"run {first.run.id[:10]} trained or chose on days of this holdout" in view.run.reason
    assert (view.look, len(edge.world.predicted)) == (None, read)
