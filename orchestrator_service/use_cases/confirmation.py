"""The one look: nominate, predict and simulate the sealed days, read the answer, promote or not.

The look is logged by `orchestrator.on_judge` in the transaction that submits the first prediction over CONFIRM, so
nothing here ever reads sealed days without a look, also if every process dies in between. Other services are free to
predict and simulate any days; days that were used so, or that an earlier search chose on, verify nothing any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from orchestrator_service.domain.gate import Member
from orchestrator_service.domain.holdout import Vintage, new_vintage
from orchestrator_service.domain.plan import CODE_VERSION, SearchPlan
from orchestrator_service.domain.positions import minute_returns, positions
from orchestrator_service.domain.records import Look, Model, Run
from orchestrator_service.domain.verdict import Finding, Verdict, decide
from orchestrator_service.domain.windows import Periods
from orchestrator_service.store import Registry, Series, Siblings
from orchestrator_service.store.series import stacked
from orchestrator_service.use_cases.steps import step, take
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Metrics, Predict, Sweep
from shared.contracts.sessions import Sessions, sessions_between
from shared.errors import Conflict
from shared.jobs.context import JobContext
from shared.jobs.model import Group, Job, JobState, Outcome, Submission
from shared.jobs.queue import Queue

Json = dict[str, Any]

PREDICTED, SIMULATED = "predicted", "simulated"


class Confirmation:
    """Everything that touches sealed data."""

    def __init__(self, registry: Registry, siblings: Siblings, series: Series, queue: Queue) -> None:
        self._registry = registry
        self._siblings = siblings
        self._series = series
        self._queue = queue

    # nominate -----------------------------------------------------------------------------------------------------

    def nominate(self, run: Run, members: Sequence[Member], result: Json) -> Outcome:
        """Return the judge's outcome that logs the look and asks for the first sealed predictions."""
        account = self._registry.open_account(wanted_vintage(run.symbol, run.plan, run.periods, self._series))
        spent = self._registry.look(run.id)
        if spent is None and account.left == 0:
            reason = f"all {account.vintage.looks} looks at this holdout are spent; it stays sealed for this run"
            return Outcome(result={**result, "reason": reason})
        if spent is None and (seen := self._seen(run)) is not None:
            return Outcome(result={**result, "reason": f"{seen}; nothing can be confirmed on days that were used"})
        window = run.periods.confirm.window
        predictions = [
            Submission(
                kind=JobKind.PREDICT,
                payload=Predict(model=member.model, symbol=run.symbol, window=window).model_dump(mode="json"),
                priority=100.0,
            )
            for member in members
        ]
        result |= {
            "reason": result["stop"],
            "vintage": account.vintage.id,
            "nomination": [member.model_dump(mode="json") for member in members],
        }
        return Outcome(
            result=result,
            submit=[Group(jobs=predictions, continuation=step(JobKind.VERDICT, run.id, stage=PREDICTED))],
        )

    def _seen(self, run: Run) -> str | None:
        """Return who used the sealed days without a look, or None."""
        searched = self._registry.searched_by(run)
        if searched is not None:
            return f"run {searched[:10]} trained or chose on days of this holdout"
        window = run.periods.confirm.window
        known = self._registry.nominated_models(run.symbol)
        others = sorted(self._series.models_predicting(run.symbol, window) - known)
        if others:
            return f"{len(others)} models were tried on this holdout without a look, the first is {others[0][:10]}"
        return None

    # verdict ------------------------------------------------------------------------------------------------------

    def verdict(self, ctx: JobContext) -> Outcome:
        work = self._simulate if ctx.payload["stage"] == PREDICTED else self._decide
        return take(self._registry, ctx, work)

    def _simulate(self, run: Run, ctx: JobContext) -> Outcome:
        """Sealed predictions are there: simulate each member's frozen setting against its frozen baseline."""
        look, models = self._look(run), self._models(run)
        _all_completed(self._queue.group(int(ctx.payload["group_id"])), "predict")
        specs = {(trial.slot, trial.setting): trial.spec for trial in self._registry.trials(run.id)}
        sweeps = [
            Sweep(
                model=member.model,
                symbol=run.symbol,
                window=run.periods.confirm.window,
                settings=(specs[member.slot, member.setting],),
                costs=run.plan.costs,
                baseline_sweep=models[member.slot].sweep,
                baseline_settings=(member.setting,),
            )
            for member in look.members
        ]
        jobs = [
            Submission(kind=JobKind.SWEEP, payload=sweep.model_dump(mode="json"), priority=100.0) for sweep in sweeps
        ]
        then = step(JobKind.VERDICT, run.id, stage=SIMULATED)
        return Outcome(result={"run": run.id, "stage": PREDICTED}, submit=[Group(jobs=jobs, continuation=then)])

    def _decide(self, run: Run, ctx: JobContext) -> Outcome:
        look, models = self._look(run), self._models(run)
        jobs = self._queue.group(int(ctx.payload["group_id"]))
        _all_completed(jobs, "simulate")
        self._check_artefacts(look, models)
        swept = [self._siblings.sweep(str((job.result or {})["fingerprint"])) for job in jobs]
        daily = stacked([self._series.daily(sweep.fingerprint) for sweep in swept])
        ctx.advanced(0.5, "shuffling days")
        rules = run.plan.rules
        verdict = decide(
            daily.alpha,
            daily.returns,
            [member.weight for member in look.members],
            self._products(run, look, [sweep.fingerprint for sweep in swept]),
            level=look.level,
            draws=rules.final_draws,
            rng=np.random.default_rng([run.plan.seed, 2]),
        )
        metrics = [sweep.metrics[0] for sweep in swept]
        return Outcome(
            result={
                "run": run.id,
                "stage": SIMULATED,
                "verdict": verdict.model_dump(mode="json"),
                "models": _confirmed(look, verdict, metrics),
                "promotions": self._promotions(run, look, models, verdict, metrics),
                "reason": _reason(verdict),
            }
        )

    def _products(self, run: Run, look: Look, sweeps: Sequence[str]) -> np.ndarray:
        """Return what the blend's positions of each day earn on each day's returns, shape (T, T)."""
        window = run.periods.confirm.window
        bars = self._series.sealed_bars(look, run.symbol, window)
        stamps = bars["ts"].dt.epoch("us").to_numpy()
        sessions = _with_bars(
            sessions_between(*(int(at.timestamp()) * 1_000_000 for at in (window.start, window.end))), stamps
        )
        returns = minute_returns(sessions, stamps, bars["open"].to_numpy(), bars["close"].to_numpy())
        held = np.zeros_like(returns)
        for member, sweep in zip(look.members, sweeps, strict=True):
            held += member.weight * positions(sessions, self._siblings.trades(sweep, 0), run.plan.grid.fill)
        return held @ returns.T

    def _look(self, run: Run) -> Look:
        look = self._registry.look(run.id)
        if look is None:
            raise Conflict("the holdout is sealed: no look of this run is logged")
        return look

    def _models(self, run: Run) -> dict[int, Model]:
        return {model.slot: model for model in self._registry.models(run.id)}

    def _check_artefacts(self, look: Look, models: dict[int, Model]) -> None:
        """Raise Conflict when a nominated artefact is not the one that was frozen."""
        for member in look.members:
            frozen, now = models[member.slot].artefact, self._siblings.model(member.model).artefact_sha256
            if frozen != now:
                raise Conflict(
                    f"model {member.model[:10]} changed after its nomination (artefact {str(frozen)[:10]}, "
                    f"now {now[:10]}): the look is spent and promotes nothing"
                )

    def _promotions(
        self,
        run: Run,
        look: Look,
        models: dict[int, Model],
        verdict: Verdict,
        metrics: Sequence[Metrics],
    ) -> list[Json]:
        if not verdict.blend.passed:
            return []
        shared = _record(run, look, verdict)
        members = [
            {**member.model_dump(mode="json"), "artefact": models[member.slot].artefact} for member in look.members
        ]
        blend = {"place": 0, "kind": "blend", "record": {**shared, **_found(verdict.blend), "members": members}}
        specs = {(trial.slot, trial.setting): trial for trial in self._registry.trials(run.id)}
        promotions: list[Json] = [blend]
        for member, finding, confirmed in zip(look.members, verdict.members, metrics, strict=False):
            if not finding.passed:
                break
            trial, model = specs[member.slot, member.setting], models[member.slot]
            promotions.append(
                {
                    "place": len(promotions),
                    "kind": "model",
                    "model": member.model,
                    "setting": trial.spec.model_dump(mode="json"),
                    "record": {
                        **shared,
                        **_found(finding),
                        "artefact": model.artefact,
                        "features": model.features,
                        "request": model.request.model_dump(mode="json"),
                        "select_t": member.select_t,
                        "select": trial.metrics.model_dump(mode="json") if trial.metrics else None,
                        "confirm": confirmed.model_dump(mode="json"),
                    },
                }
            )
        return promotions


def wanted_vintage(symbol: str, plan: SearchPlan, periods: Periods, series: Series) -> Vintage:
    """Return the vintage that a run's sealed days would open."""
    window, rules = periods.confirm.window, plan.rules
    versions = series.data_versions(symbol, plan.feature_set, window)
    return new_vintage(symbol, window, versions["bars"], plan.costs, rules.alpha, rules.looks)


def _with_bars(sessions: Sessions, stamps: np.ndarray) -> Sessions:
    rows = np.unique(sessions.index_of(stamps))
    rows = rows[rows >= 0]
    return Sessions(sessions.date[rows], sessions.open_us[rows], sessions.close_us[rows])


def _all_completed(jobs: Sequence[Job], verb: str) -> None:
    for job in jobs:
        if job.state is not JobState.COMPLETED:
            raise Conflict(
                f"could not {verb} over the holdout: job {job.id} is {job.state} ({job.error}); the look is spent"
            )


def _confirmed(look: Look, verdict: Verdict, metrics: Sequence[Metrics]) -> list[Json]:
    passed = [finding.passed for finding in verdict.members]
    passed += [False] * (len(look.nomination) - len(passed))
    return [
        {"slot": member.slot, "metrics": confirmed.model_dump(mode="json"), "promoted": promoted}
        for member, confirmed, promoted in zip(look.members, metrics, passed, strict=True)
    ]


def _reason(verdict: Verdict) -> str:
    if not verdict.blend.passed:
        return f"the blend's p {verdict.blend.p:.2g} on the holdout exceeds the look's level {verdict.level:g}"
    return f"the blend is confirmed at level {verdict.level:g}, and with it {verdict.promoted} of its models"


def _found(finding: Finding) -> Json:
    return {"p_confirm": finding.p, "confirm_finding": finding.model_dump(mode="json")}


def _record(run: Run, look: Look, verdict: Verdict) -> Json:
    """Return what every promotion record of a run shares: how it was searched, gated and looked at."""
    evidence = run.evidence
    return {
        "run": run.id,
        "symbol": run.symbol,
        "generations": run.generation + 1,
        "evidence": evidence.model_dump(mode="json", exclude={"best": {"null_max_t", "trial_t"}}) if evidence else None,
        "periods": run.periods.model_dump(mode="json"),
        "costs": run.plan.costs.model_dump(mode="json"),
        "rules": run.plan.rules.model_dump(mode="json"),
        "loosened": list(run.plan.rules.loosened()),
        "level": verdict.level,
        "look": look.number,
        "looks": look.number_of,
        "vintage": look.vintage,
        "smallest_confirmable_sharpe": verdict.smallest_confirmable_sharpe,
        "seed": run.plan.seed,
        "data_version": run.data_version,
        "code_version": CODE_VERSION,
    }
