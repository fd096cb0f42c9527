"""Generations: train, cut, simulate, judge; each step is a job that ends, and the queue carries on from there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from orchestrator_service.domain.evolution import (
    NOTHING,
    Candidate,
    Strength,
    next_generation,
    settings_for,
    stop_reason,
    strength,
    strongest,
)
from orchestrator_service.domain.gate import Evidence, Member, Row, gate
from orchestrator_service.domain.plan import SearchPlan
from orchestrator_service.domain.records import Model, ModelState, Run, Trial, TrialState
from orchestrator_service.store import Registry, Series, Siblings
from orchestrator_service.store.series import stacked
from orchestrator_service.use_cases.confirmation import Confirmation
from orchestrator_service.use_cases.steps import generation_of, step, take
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Metrics, Sweep
from shared.errors import InvalidInput, NotFound
from shared.jobs.context import JobContext
from shared.jobs.model import Group, Job, JobState, Outcome, Submission
from shared.jobs.queue import Queue

Json = dict[str, Any]


class Evolution:
    """The steps of a search. Each reads what is stored and decides; the effect functions write."""

    def __init__(
        self, registry: Registry, siblings: Siblings, series: Series, queue: Queue, confirmation: Confirmation
    ) -> None:
        self._registry = registry
        self._siblings = siblings
        self._series = series
        self._queue = queue
        self._confirmation = confirmation

    # breed: submit a generation's trainings -----------------------------------------------------------------------

    def breed(self, ctx: JobContext) -> Outcome:
        return take(self._registry, ctx, self._breed)

    def _breed(self, run: Run, ctx: JobContext) -> Outcome:
        generation = generation_of(ctx.payload)
        trainings = [
            Submission(kind=JobKind.TRAIN, payload=model.request.model_dump(mode="json"), priority=model.priority)
            for model in self._registry.models(run.id)
            if model.generation == generation
        ]
        then = step(JobKind.TRIAL, run.id, generation=generation)
        return Outcome(
            result={"run": run.id, "generation": generation, "trainings": len(trainings)},
            submit=[Group(jobs=trainings, continuation=then)],
        )

    # trial: write the ledger, then simulate on SELECT -------------------------------------------------------------

    def trial(self, ctx: JobContext) -> Outcome:
        return take(self._registry, ctx, self._trial)

    def _trial(self, run: Run, ctx: JobContext) -> Outcome:
        generation = generation_of(ctx.payload)
        asked = [model for model in self._registry.models(run.id) if model.generation == generation]
        trained: list[Json] = []
        trials: list[Json] = []
        sweeps: list[Submission] = []
        for model, job in zip(asked, self._queue.group(int(ctx.payload["group_id"])), strict=True):
            entry, sweep = self._tried(run, model, job)
            trained.append(entry)
            if sweep is not None:
                sweeps.append(
                    Submission(kind=JobKind.SWEEP, payload=sweep.model_dump(mode="json"), priority=model.priority)
                )
                trials += [
                    {"slot": model.slot, "setting": index, "spec": setting.model_dump(mode="json")}
                    for index, setting in enumerate(sweep.settings)
                ]
            ctx.advanced(len(trained) / len(asked), f"{len(trials)} settings of {len(trained)} models")
        then = step(JobKind.JUDGE, run.id, generation=generation)
        return Outcome(
            result={"run": run.id, "generation": generation, "models": trained, "trials": trials},
            submit=[Group(jobs=sweeps, continuation=then)],
        )

    def _tried(self, run: Run, model: Model, job: Job) -> tuple[Json, Sweep | None]:
        entry: Json = {"slot": model.slot}
        if job.state is not JobState.COMPLETED or job.result is None:
            reason = job.error or f"its training was {job.state.lower()}"
            return {**entry, "state": ModelState.FAILED, "error": reason}, None
        trained = self._siblings.model(str(job.result["fingerprint"]))
        entry |= {
            "fingerprint": trained.fingerprint,
            "artefact": trained.artefact_sha256,
            "features": trained.features,
            "importance": trained.importance,
        }
        out_of_fold = self._series.out_of_fold(trained.fingerprint, run.symbol, run.periods.train.window)
        try:
            settings = settings_for(run.plan.grid, out_of_fold)
        except InvalidInput as error:
            return {**entry, "state": ModelState.FAILED, "error": str(error)}, None
        sweep = Sweep(
            model=trained.fingerprint,
            symbol=run.symbol,
            window=run.periods.select.window,
            settings=settings,
            costs=run.plan.costs,
        )
        return {**entry, "state": ModelState.TRAINED}, sweep

    # judge: record every trial, then go on, nominate, or stop -----------------------------------------------------

    def judge(self, ctx: JobContext) -> Outcome:
        return take(self._registry, ctx, self._judge)

    def _judge(self, run: Run, ctx: JobContext) -> Outcome:
        generation = generation_of(ctx.payload)
        models = self._registry.models(run.id)
        asked = [one for one in models if one.generation == generation and one.state is ModelState.TRAINED]
        ledger = self._registry.trials(run.id)
        jobs = self._queue.group(int(ctx.payload["group_id"]))
        judged, trials = self._results(run, asked, ledger, jobs)
        result: Json = {"run": run.id, "generation": generation, "models": judged, "trials": trials}
        candidates = [_candidate(model, entry) for model, entry in zip(asked, judged, strict=True)]
        children = next_generation(run.plan, candidates)
        bests = _bests(run.plan, models, generation, judged)
        stop = stop_reason(run.plan, bests, len(children))
        parents = {one.fingerprint for one in strongest(run.plan, candidates)}
        for model, entry in zip(asked, judged, strict=True):
            entry["state"] = _state(model, entry, parents)
        if stop is not None:
            return self._finish(run, ctx, result, stop)
        result["children"] = [
            {
                "slot": len(models) + index,
                "request": child.request.model_dump(mode="json"),
                "priority": child.priority,
                "parent": child.request.parent,
            }
            for index, child in enumerate(children)
        ]
        then = step(JobKind.BREED, run.id, generation=generation + 1)
        return Outcome(result=result, submit=[Group(jobs=[], continuation=then)])

    def _results(
        self, run: Run, asked: Sequence[Model], ledger: Sequence[Trial], jobs: Sequence[Job]
    ) -> tuple[list[Json], list[Json]]:
        judged: list[Json] = []
        trials: list[Json] = []
        for model, job in zip(asked, jobs, strict=True):
            settings = [trial.setting for trial in ledger if trial.slot == model.slot]
            entry: Json = {"slot": model.slot}
            if job.state is JobState.COMPLETED and job.result is not None:
                sweep = self._siblings.sweep(str(job.result["fingerprint"]))
                best = max(settings, key=lambda index: (strength(run.plan, sweep.metrics[index]), -index))
                chosen = sweep.metrics[best].model_dump(mode="json")
                entry |= {"sweep": sweep.fingerprint, "best_setting": best, "select_metrics": chosen}
                outcome = [(TrialState.DONE, sweep.metrics[index].model_dump(mode="json"), None) for index in settings]
            else:
                reason = job.error or f"its simulation was {job.state.lower()}"
                outcome = [(TrialState.FAILED, None, reason) for _ in settings]
            judged.append(entry)
            trials += [
                {"slot": model.slot, "setting": index, "state": state, "metrics": metrics, "error": error}
                for index, (state, metrics, error) in zip(settings, outcome, strict=True)
            ]
        return judged, trials

    def _finish(self, run: Run, ctx: JobContext, result: Json, stop: str) -> Outcome:
        """Judge the whole ledger: this generation's results are in `result`, earlier ones in the registry."""
        ctx.advanced(0.5, "judging the whole ledger")
        evidence, members = self._gate(run, result)
        result |= {"evidence": evidence.model_dump(mode="json"), "stop": stop}
        if not evidence.passed:
            return Outcome(result={**result, "reason": f"{evidence.reason}; the holdout stays sealed"})
        if run.obstacle is not None:
            return Outcome(result={**result, "reason": f"{run.obstacle}; the holdout stays sealed"})
        return self._confirmation.nominate(run, members, result)

    def _gate(self, run: Run, result: Json) -> tuple[Evidence, list[Member]]:
        fresh = {(row["slot"], row["setting"]): row for row in result["trials"]}
        swept = {entry["slot"]: entry["sweep"] for entry in result["models"] if "sweep" in entry}
        rows: list[Row] = []
        sweeps: list[str] = []
        models = {model.slot: model for model in self._registry.models(run.id)}
        trials = self._registry.trials(run.id)
        for slot in sorted({trial.slot for trial in trials}):
            sweep = swept.get(slot) or models[slot].sweep
            if sweep is None:
                continue
            sweeps.append(sweep)
            for trial in (trial for trial in trials if trial.slot == slot):
                row = fresh.get((slot, trial.setting))
                metrics = Metrics.model_validate(row["metrics"]) if row else trial.metrics
                if metrics is None:
                    raise NotFound(f"trial {slot}/{trial.setting} of run {run.id[:10]} has a sweep but no metrics")
                rows.append(Row(model=models[slot].name, slot=slot, setting=trial.setting, trades=metrics.trades))
        alpha = stacked([self._series.daily(sweep) for sweep in sweeps]).alpha if sweeps else np.zeros((0, 2))
        rng = np.random.default_rng([run.plan.seed, 1])
        return gate(rows, alpha, len(trials) - len(rows), run.plan.rules, rng)


def _candidate(model: Model, entry: Json) -> Candidate:
    best = entry.get("select_metrics")
    return Candidate(
        request=model.request,
        fingerprint=model.name,
        importance=model.importance or {},
        best=Metrics.model_validate(best) if best else None,
    )


def _state(model: Model, entry: Json, parents: Collection[str]) -> ModelState:
    if "sweep" not in entry:
        return ModelState.FAILED
    return ModelState.TRAINED if model.name in parents else ModelState.PRUNED


def _bests(plan: SearchPlan, models: Sequence[Model], generation: int, judged: Sequence[Json]) -> list[Strength]:
    """Return the strength of the best model of each generation up to this one."""
    bests = [NOTHING] * (generation + 1)
    for model in models:
        if model.generation < generation:
            bests[model.generation] = max(bests[model.generation], strength(plan, model.select_metrics))
    for entry in judged:
        metrics = entry.get("select_metrics")
        found = strength(plan, Metrics.model_validate(metrics) if metrics else None)
        bests[generation] = max(bests[generation], found)
    return bests
