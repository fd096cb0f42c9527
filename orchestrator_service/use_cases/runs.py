"""What users ask for: start a search, follow it, call it off, see what it promoted and where that came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator_service.domain.evolution import first_generation
from orchestrator_service.domain.plan import CODE_VERSION, SearchPlan
from orchestrator_service.domain.records import Account, Look, Model, Progress, Promotion, Run, RunState
from orchestrator_service.domain.report import Funnel, funnel_of, sentence
from orchestrator_service.domain.windows import split_sessions, why_not_promotable
from orchestrator_service.store import Registry, Series, Siblings
from orchestrator_service.store.registry import NewRun
from orchestrator_service.use_cases.confirmation import wanted_vintage
from orchestrator_service.use_cases.steps import step
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.errors import Conflict
from shared.jobs.model import JobState
from shared.jobs.queue import Queue
from shared.storage.postgres import Connection


@dataclass(frozen=True)
class RunView:
    """A run with what is told about it."""

    run: Run
    funnel: Funnel
    sentence: str
    look: Look | None
    account: Account | None
    progress: list[Progress]
    models: list[Model] = field(default_factory=list)


@dataclass(frozen=True)
class Lineage:
    """A model, and all it came from and led to."""

    focus: str
    models: list[Model]

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Parent and child fingerprints, each pair once, where both are here."""
        here = {model.fingerprint for model in self.models}
        pairs = [(model.parent, model.name) for model in self.models if model.parent in here]
        return list(dict.fromkeys((parent, child) for parent, child in pairs if parent is not None))

    def ancestors(self) -> list[str]:
        """Return the fingerprints the focus descends from, nearest first."""
        return self._walk({child: parent for parent, child in self.edges})

    def _walk(self, parents: dict[str, str]) -> list[str]:
        found: list[str] = []
        at = parents.get(self.focus)
        while at is not None and at not in found:
            found.append(at)
            at = parents.get(at)
        return found

    def descendants(self) -> list[str]:
        """Return the fingerprints that descend from the focus, oldest first."""
        family = {self.focus}
        for parent, child in self.edges:
            # edges come by generation, so a parent is known before its children
            if parent in family:
                family.add(child)
        return [name for name in dict.fromkeys(model.name for model in self.models) if name in family - {self.focus}]


class Runs:
    """Searches, one a symbol."""

    def __init__(self, registry: Registry, siblings: Siblings, series: Series, queue: Queue) -> None:
        self._registry = registry
        self._siblings = siblings
        self._series = series
        self._queue = queue

    def start(self, plan: SearchPlan, symbols: Sequence[str], key: str | None = None) -> tuple[list[RunView], bool]:
        """Start a run for each symbol, all or none; return them, and whether any of them is new.

        The same plan on the same data is the same run: it is returned as it stands, or begun again when it failed
        or was cancelled. Raises Conflict for a used key with another body or a holdout with another look budget,
        NotFound without features, InvalidInput for too little history, Unavailable when the feature service does
        not answer; nothing is written then.
        """
        body = fingerprint("evolve_request", plan=plan, symbols=symbols)
        known = self._registry.request(key, body) if key is not None else None
        if known is not None:
            return [self.show(run_id) for run_id in known], False
        wanted = [self._plan_run(plan, symbol) for symbol in symbols]
        for run in wanted:
            self._check_budget(run)
        begun = self._registry.start(key, body, wanted, self._enqueue)
        return [self.show(run.id) for run in wanted], bool(begun)

    def _plan_run(self, plan: SearchPlan, symbol: str) -> NewRun:
        # the stored name goes into plan and fingerprint: the same plan on redefined features is another run
        plan = plan.model_copy(update={"feature_set": self._siblings.built_set(symbol, plan.feature_set)})
        sessions = self._series.sessions_with_features(symbol, plan.feature_set, plan.start, plan.end)
        periods = split_sessions(sessions, plan.select_sessions, plan.confirm_sessions)
        versions = self._series.data_versions(symbol, plan.feature_set, periods.whole())
        data_version = fingerprint("run_data", **versions)
        name = fingerprint(
            "run", plan=plan, symbol=symbol, periods=periods, data_version=data_version, code_version=CODE_VERSION
        )
        return NewRun(
            id=name,
            symbol=symbol,
            plan=plan,
            periods=periods,
            data_version=data_version,
            obstacle=why_not_promotable(periods, plan.rules),
            first=first_generation(plan, symbol, periods),
        )

    def _check_budget(self, run: NewRun) -> None:
        asked = wanted_vintage(run.symbol, run.plan, run.periods, self._series)
        opened = self._registry.account(asked).vintage
        if (opened.alpha, opened.looks) != (asked.alpha, asked.looks):
            raise Conflict(
                f"the holdout of {run.symbol} was opened with {opened.looks} looks at a joint error of "
                f"{opened.alpha:g}; that cannot be changed to {asked.looks} looks at {asked.alpha:g}"
            )

    def _enqueue(self, conn: Connection, run_id: str) -> int:
        return self._queue.submit([step(JobKind.BREED, run_id, generation=0)], conn=conn)[0]

    def page(
        self, *, state: str | None = None, symbol: str | None = None, limit: int, offset: int = 0
    ) -> tuple[list[RunView], int]:
        """Return a page of runs, newest first, and how many there are."""
        found, total = self._registry.runs(state=state, symbol=symbol, limit=limit, offset=offset)
        return [self._view(self._settled(run)) for run in found], total

    def show(self, run_id: str) -> RunView:
        """Return one run in full. Raises NotFound."""
        run = self._settled(self._registry.run(run_id))
        view = self._view(run)
        account = self._registry.account(wanted_vintage(run.symbol, run.plan, run.periods, self._series))
        return RunView(
            run=run,
            funnel=view.funnel,
            sentence=view.sentence,
            look=view.look,
            account=account,
            progress=view.progress,
            models=self._registry.models(run.id),
        )

    def cancel(self, run_id: str) -> RunView:
        """Call a run off, with all it waits for; a look it was charged with stays spent.

        Raises NotFound, and Conflict for a run that has ended.
        """
        run = self._settled(self._registry.run(run_id))
        if run.state is not RunState.RUNNING:
            raise Conflict(f"run {run_id[:10]} is {run.state} already: only running ones can be cancelled")
        self._cancel_jobs(run_id)
        self._registry.end(run_id, RunState.CANCELLED, "cancelled by request")
        # what a step that ended in between has submitted
        self._cancel_jobs(run_id)
        return self.show(run_id)

    def promoted(self, *, run: str | None = None, limit: int, offset: int = 0) -> tuple[list[Promotion], int]:
        """Return a page of promotions, newest first, and how many there are."""
        return self._registry.promotions(run=run, limit=limit, offset=offset)

    def lineage(self, model: str) -> Lineage:
        """Return a model with its ancestors and descendants. Raises NotFound."""
        return Lineage(model, self._registry.lineage(model))

    def _cancel_jobs(self, run_id: str) -> None:
        # the run's own job first: while it is cancelled, nothing new is submitted
        last = self._registry.last_step(run_id)
        for job_id in [*([last] if last is not None else []), *self._registry.live_work(run_id)]:
            if not self._queue.job(job_id).state.ended:
                try:
                    self._queue.cancel(job_id)
                except Conflict:
                    continue  # it ended meanwhile

    def _settled(self, run: Run) -> Run:
        """End a run whose own job failed for good or was cancelled; nobody else would tell."""
        last = self._registry.last_step(run.id) if run.state is RunState.RUNNING else None
        if last is None:
            return run
        job = self._queue.job(last)
        if job.state is JobState.FAILED:
            self._registry.end(run.id, RunState.FAILED, f"{job.kind} failed: {job.error}")
        elif job.state is JobState.CANCELLED:
            self._registry.end(run.id, RunState.CANCELLED, f"{job.kind} (job {job.id}) was cancelled")
        else:
            return run
        return self._registry.run(run.id)

    def _view(self, run: Run) -> RunView:
        progress = self._registry.progress(run.id)
        look = self._registry.look(run.id)
        trials = sum(generation.trials for generation in progress)
        return RunView(
            run=run,
            funnel=funnel_of(run, look, trials),
            sentence=sentence(run, look, trials),
            look=look,
            account=None,
            progress=progress,
        )
