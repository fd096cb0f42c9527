"""A neighbour that goes away in the middle of a run: the step waits, nothing is half-written, the run goes on after."""

import pytest
from orchestrator_support import house

from orchestrator_service.domain.plan import SearchPlan
from orchestrator_service.domain.records import RunState
from orchestrator_service.wiring import assemble
from shared.contracts.kinds import JobKind
from shared.jobs.model import JobState
from shared.testing.jobs import run_pending

PLAN = SearchPlan(select_sessions=120, confirm_sessions=130, horizons=(15,), generations=1, seed=3)
AWAY = "http://127.0.0.1:9"
#: step, the neighbour it asks, the kinds that may run before it is its turn
STEPS = [
    (JobKind.TRIAL, "training", (JobKind.BREED, JobKind.TRAIN)),
    (JobKind.JUDGE, "simulation", (JobKind.BREED, JobKind.TRAIN, JobKind.TRIAL, JobKind.SWEEP)),
]


@pytest.fixture
def edge(database_url, data_dir, lake):
    with house(database_url, data_dir, lake, skill={"EDGE": 0.35}) as made:
        yield made


def written(view):
    return view.run, view.models, view.funnel


@pytest.mark.parametrize(("kind", "neighbour", "before"), STEPS)
def test_a_step_whose_neighbour_is_away_changes_nothing_and_is_done_later(edge, kind, neighbour, before):
    [started], _ = edge.wired.runs.start(PLAN, ["EDGE"])
    run, queue = started.run.id, edge.wired.resources.queue
    run_pending(queue, {name: edge.handlers[name] for name in before})
    state = written(edge.wired.runs.show(run))
    with assemble(edge.settings.model_copy(update={f"{neighbour}_url": AWAY})) as alone:
        step = {JobKind.TRIAL: alone.evolution.trial, JobKind.JUDGE: alone.evolution.judge}[kind]
        tried = run_pending(queue, {kind: step})
    assert tried
    for job in tried:
        assert (job.state, job.attempt) == (JobState.PENDING, 1)
        assert f"the {neighbour} service at {AWAY} does not answer" in job.error
    assert written(edge.wired.runs.show(run)) == state
    with queue.database.transaction() as conn:
        conn.execute("update jobs.job set run_after = now() where state = 'PENDING'")  # the pause is over
    edge.work()
    assert edge.wired.runs.show(run).run.state is RunState.COMPLETED
