"""The state machine of a search, on the real queue, database and lake."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from orchestrator_support import house

from orchestrator_service.domain.plan import Rules, SearchPlan
from orchestrator_service.domain.records import ModelState, RunState
from orchestrator_service.wiring import assemble
from shared.contracts.kinds import JobKind
from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.jobs.context import JobContext
from shared.jobs.model import Completion, JobState

PLAN = SearchPlan(select_sessions=120, confirm_sessions=130, horizons=(5, 15), generations=3, seed=3)


def _plan(*, generations: int, gate_level: float) -> SearchPlan:
    return PLAN.model_copy(update={"generations": generations, "rules": Rules(gate_level=gate_level)})


@pytest.fixture
def edge(database_url, data_dir, lake):
    with house(database_url, data_dir, lake, skill={"EDGE": 0.35}) as made:
        yield made


@pytest.fixture
def flat(database_url, data_dir, lake):
    with house(database_url, data_dir, lake, skill={"FLAT": 0.0, "NOISE": 0.0}) as made:
        yield made


def test_a_real_edge_is_searched_nominated_confirmed_and_promoted(edge):
    runs = edge.wired.runs
    [started], new = runs.start(PLAN, ["EDGE"])
    assert new
    jobs = edge.work()
    assert {job.state for job in jobs} == {JobState.COMPLETED}
    view = runs.show(started.run.id)
    run = view.run
    assert (run.state, run.stage, run.generation) == (RunState.COMPLETED, "ended", 2), run.reason
    # 4 first models, then 3 children of the best 3, then 3 more; 4 quantiles x 3 holds each
    assert [(p.models, p.trained, p.trials, p.done) for p in view.progress] == [
        (4, 4, 48, 48), (3, 3, 36, 36), (3, 3, 36, 36),
    ]  # fmt: skip
    assert view.funnel.trials == view.funnel.live == 120
    assert view.funnel.nominated == 10
    assert view.funnel.confirmed >= 1
    assert view.look is not None
    assert (view.look.number, view.look.number_of, view.look.level) == (1, 10, 0.005)
    assert view.look.passed
    assert view.account is not None
    assert view.account.left == 9
    assert "Best of 120 trials. Luck alone would have shown Sharpe" in view.sentence
    assert "look 1 of 10" in view.sentence
    promoted, total = runs.promoted(limit=100)
    assert total == view.funnel.confirmed + 1
    assert [one.place for one in promoted] == list(range(total))
    record = promoted[1].record
    assert record["p_confirm"] <= record["level"] == 0.005
    assert record["evidence"]["trials"] == 120
    assert record["artefact"] == edge.world.models[promoted[1].model]["artefact_sha256"]
    states = {model.state for model in view.models}
    assert ModelState.PROMOTED in states


def test_children_drop_what_did_nothing_and_run_with_their_parents_sqn(edge):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    edge.work()
    models = edge.wired.runs.show(started.run.id).models
    by_name = {model.fingerprint: model for model in models}
    children = [model for model in models if model.parent]
    assert len(children) == 6
    for child in children:
        parent = by_name[child.parent]
        assert child.generation == parent.generation + 1
        assert child.request.features == tuple(sorted(set(parent.features) - {parent.features[-1]}))
        assert child.priority == pytest.approx(parent.select_metrics.sqn)
        assert child.request.parent == parent.fingerprint
    queue = edge.wired.resources.queue
    sweeps, _ = queue.jobs(kind=JobKind.SWEEP, per_page=500)
    priorities = {job.payload["model"]: job.priority for job in sweeps if job.payload["baseline_sweep"] is None}
    assert priorities == pytest.approx({model.fingerprint: model.priority for model in models})
    lineage = edge.wired.runs.lineage(children[-1].fingerprint)
    assert len(lineage.ancestors()) == 2
    assert lineage.ancestors()[0] == children[-1].parent
    root = edge.wired.runs.lineage(lineage.ancestors()[-1])
    assert children[-1].fingerprint in root.descendants()
    assert root.ancestors() == []
    with pytest.raises(NotFound, match="no model"):
        edge.wired.runs.lineage("0" * 64)


def test_noise_is_not_nominated_and_its_holdout_stays_sealed(flat):
    # a strict gate, so that the test stands for any draw of the noise
    [started], _ = flat.wired.runs.start(_plan(generations=2, gate_level=0.01), ["NOISE"])
    flat.work()
    view = flat.wired.runs.show(started.run.id)
    assert view.run.state is RunState.COMPLETED
    assert view.run.reason is not None
    assert view.run.evidence is not None
    assert not view.run.evidence.passed
    assert "the holdout stays sealed" in view.run.reason
    assert view.look is None
    assert view.account is not None
    assert view.account.used == 0
    assert flat.world.predicted == []
    queue = flat.wired.resources.queue
    sweeps, _ = queue.jobs(kind=JobKind.SWEEP, per_page=500)
    confirm = view.run.periods.confirm.window
    assert all(job.payload["window"]["end"] <= confirm.start.isoformat().replace("+00:00", "Z") for job in sweeps)
    assert flat.wired.runs.promoted(limit=10) == ([], 0)


def test_a_lucky_search_is_nominated_and_refused_by_the_holdout(flat):
    """A gate that lets nearly all through stands for the luck that the usual one lets through now and then."""
    [started], _ = flat.wired.runs.start(_plan(generations=2, gate_level=0.999), ["FLAT"])
    flat.work()
    view = flat.wired.runs.show(started.run.id)
    assert view.run.state is RunState.COMPLETED
    assert view.look is not None
    assert view.look.passed is False
    assert view.look.p > 0.005
    assert (view.funnel.nominated > 0, view.funnel.confirmed) == (True, 0)
    assert "0 promoted" in view.sentence
    assert "exceeds the look's level 0.005" in view.run.reason
    assert view.account.left == 9
    assert flat.wired.runs.promoted(limit=10) == ([], 0)
    assert len(flat.world.predicted) == view.funnel.nominated
    assert all(one.window == view.run.periods.confirm.window for one in flat.world.predicted)


def test_a_short_holdout_promotes_nothing_and_says_why(database_url, data_dir, lake):
    with house(database_url, data_dir, lake, skill={"EDGE": 0.6}, days=256) as made:
        plan = SearchPlan(horizons=(5,), generations=1, rules={"min_trades": 50})
        [started], _ = made.wired.runs.start(plan, ["EDGE"])
        made.work()
        view = made.wired.runs.show(started.run.id)
    assert view.run.state is RunState.COMPLETED
    assert view.run.evidence is not None
    assert view.run.evidence.passed
    assert "the holdout is too short: 85 sessions" in view.sentence
    assert view.look is None
    assert made.world.predicted == []


def test_every_trial_is_in_the_ledger_before_any_is_simulated(edge):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    edge.work(without=(JobKind.SWEEP,))
    view = edge.wired.runs.show(started.run.id)
    assert view.run.stage == "simulating"
    assert view.funnel.trials == 48
    assert [p.done for p in view.progress] == [0]
    assert view.sentence.startswith("Searching: 48 trials")


def test_failed_trainings_are_kept_and_the_rest_goes_on(edge):
    edge.world.broken = {"xgboost"}
    plan = PLAN.model_copy(update={"generations": 1})
    [started], _ = edge.wired.runs.start(plan, ["EDGE"])
    edge.work()
    # xgboost is retried by the queue: let its attempts run out
    queue = edge.wired.resources.queue
    waiting, _ = queue.jobs(kind=JobKind.TRAIN, state=JobState.PENDING)
    assert len(waiting) == 2
    for job in waiting:
        queue.cancel(job.id)
    edge.work()
    view = edge.wired.runs.show(started.run.id)
    assert view.run.state is RunState.COMPLETED
    failed = [model for model in view.models if model.state is ModelState.FAILED]
    assert [model.request.estimator for model in failed] == ["xgboost", "xgboost"]
    assert all("cannot be trained here" in model.error for model in failed)
    assert view.funnel.trials == 24


def test_one_key_is_one_request(edge):
    runs = edge.wired.runs
    [first], new = runs.start(PLAN, ["EDGE"], key="monday")
    [again], new_again = runs.start(PLAN, ["EDGE"], key="monday")
    assert (new, new_again) == (True, False)
    assert first.run.id == again.run.id
    with pytest.raises(Conflict, match="key 'monday' was used for another request"):
        runs.start(PLAN.model_copy(update={"seed": 4}), ["EDGE"], key="monday")
    # the same plan on the same data is the same run, whatever its key
    [other], new_other = runs.start(PLAN, ["EDGE"], key="tuesday")
    assert (other.run.id, new_other) == (first.run.id, False)
    _, total = edge.wired.resources.queue.jobs(kind=JobKind.BREED)
    assert total == 1
    assert runs.page(limit=10)[1] == 1


def test_a_cancelled_run_stops_at_once_and_can_begin_again(edge):
    runs, queue = edge.wired.runs, edge.wired.resources.queue
    [started], _ = runs.start(PLAN, ["EDGE"])
    edge.work(without=(JobKind.SWEEP,))
    view = runs.cancel(started.run.id)
    assert (view.run.state, view.run.reason) == (RunState.CANCELLED, "cancelled by request")
    assert queue.jobs(state=JobState.PENDING, kind=JobKind.SWEEP)[1] == 0
    edge.work()
    assert runs.show(started.run.id).run.state is RunState.CANCELLED
    assert {trial.state for trial in runs._registry.trials(started.run.id)} == {"aborted"}
    with pytest.raises(Conflict, match="is cancelled already"):
        runs.cancel(started.run.id)
    [again], new = runs.start(PLAN, ["EDGE"])
    assert new
    assert again.run.id == started.run.id
    edge.work()
    assert runs.show(started.run.id).run.state is RunState.COMPLETED


def test_bad_requests_start_nothing(edge):
    runs = edge.wired.runs
    with pytest.raises(NotFound, match="not built for NOPE"):
        runs.start(PLAN, ["EDGE", "NOPE"], key="k")
    late = datetime.fromtimestamp(edge.world.sessions.open_us[-10] / 1e6, UTC)
    with pytest.raises(InvalidInput, match="10 sessions of features are too few"):
        runs.start(PLAN.model_copy(update={"start": late}), ["EDGE"])
    assert runs.page(limit=10) == ([], 0)
    assert edge.wired.resources.queue.jobs() == ([], 0)


def test_a_dead_feature_service_is_named_and_nothing_is_written(edge):
    dead = edge.settings.model_copy(update={"features_url": "http://127.0.0.1:9"})
    with assemble(dead) as wired:
        with pytest.raises(Unavailable, match=r"features service at http://127\.0\.0\.1:9 does not answer"):
            wired.runs.start(PLAN, ["EDGE"], key="k")
        assert wired.runs.page(limit=10) == ([], 0)


def test_a_run_whose_own_job_failed_for_good_has_failed(edge):
    runs, queue = edge.wired.runs, edge.wired.resources.queue
    [started], _ = runs.start(PLAN, ["EDGE"])
    edge.work(without=(JobKind.JUDGE,))
    token = uuid4()
    [job] = queue.claim([JobKind.JUDGE], 1, token, "killed").jobs
    queue.fail(job.id, token, "the machine went away", retry=False)
    view = runs.show(started.run.id)
    assert view.run.state is RunState.FAILED
    assert "orchestrator.judge failed: the machine went away" in view.run.reason


def test_a_step_is_applied_once_though_it_is_computed_twice(edge):
    """A worker dies after the effect of its attempt was computed: the second attempt's result is the same."""
    runs, queue = edge.wired.runs, edge.wired.resources.queue
    [started], _ = runs.start(PLAN, ["EDGE"])
    edge.work(without=(JobKind.JUDGE,))
    token = uuid4()
    [job] = queue.claim([JobKind.JUDGE], 1, token, "w").jobs
    ctx = JobContext(job_id=job.id, kind=job.kind, payload=job.payload, priority=0, attempt=1, token=token)
    outcomes = [edge.wired.evolution.judge(ctx) for _ in range(2)]
    assert outcomes[0] == outcomes[1]
    assert queue.complete(job.id, token, outcomes[0]) is Completion.DONE
    assert queue.complete(job.id, token, outcomes[1]) is Completion.ALREADY_DONE
    models = runs.show(started.run.id).models
    assert [model.slot for model in models] == list(range(7))
    assert queue.jobs(kind=JobKind.BREED)[1] == 2
