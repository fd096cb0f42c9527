"""A run in words: the one sentence, and how many went how far."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_service.domain.gate import Evidence
from orchestrator_service.domain.records import Look, Run, RunState
from orchestrator_service.domain.verdict import Verdict


@dataclass(frozen=True)
class Funnel:
    """Trials simulated on SELECT -> that ever traded -> nominated for the holdout -> confirmed by it."""

    trials: int
    live: int
    nominated: int
    confirmed: int


def funnel_of(run: Run, look: Look | None, trials: int) -> Funnel:
    """Return the funnel; `trials` is the size of the ledger now, also while the run goes on."""
    return Funnel(
        trials=trials,
        live=run.evidence.live if run.evidence else 0,
        nominated=len(look.nomination) if look else 0,
        confirmed=run.verdict.promoted if run.verdict else 0,
    )


def sentence(run: Run, look: Look | None, trials: int) -> str:
    """Return what a run found out, in one or two sentences that can be quoted as they are.

    Rules looser than the measured ones stand before everything else: what follows promises less then.
    """
    loosened = run.plan.rules.loosened()
    warning = f"Under loosened rules ({', '.join(loosened)}), so without the usual promise: " if loosened else ""
    return warning + _finding(run, look, trials)


def _finding(run: Run, look: Look | None, trials: int) -> str:
    if run.state is RunState.RUNNING and run.evidence is None:
        return f"Searching: {trials:,} trials so far, generation {run.generation + 1} of {run.plan.generations}."
    if run.evidence is None:
        return f"{run.state.capitalize()} after {trials:,} trials: {run.reason}."
    opening = _opening(run.evidence)
    if run.verdict is not None and look is not None:
        return f"{opening}; {_closing(run.verdict, look)}"
    if look is not None and run.state is RunState.RUNNING:
        return f"{opening}. Nominated {len(look.nomination)}; the holdout is being read."
    return f"{opening}. Not promoted: {run.reason}."


def _opening(evidence: Evidence) -> str:
    best = evidence.best
    if best is None or best.sharpe is None or best.luck_sharpe is None:
        return f"Of {evidence.trials:,} trials none could be judged"
    return (
        f"Best of {evidence.trials:,} trials. Luck alone would have shown Sharpe {best.luck_sharpe:.1f} here; "
        f"this one showed {best.sharpe:.1f}"
    )


def _closing(verdict: Verdict, look: Look) -> str:
    shown = "nothing measurable" if verdict.blend.sharpe is None else f"{verdict.blend.sharpe:.1f}"
    counted = f"p={verdict.blend.p:.2g}, level {verdict.level:g}, look {look.number} of {look.number_of}"
    models = "1 model" if verdict.promoted == 1 else f"{verdict.promoted} models"
    outcome = f"Promoted the blend and {models}" if verdict.blend.passed else "0 promoted"
    blend = f"the blend of {len(look.nomination)} showed {shown}"
    return f"on {verdict.sessions} untouched days {blend} ({counted}). {outcome}."
