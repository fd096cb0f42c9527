"""The gate: is the best of all trials more than luck would show? It reads SELECT only, and costs no look.

The gate's own level does not hold under evolution (the search was steered by the same data), so it may keep the holdout
sealed, and it certifies nothing: only `verdict` does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator_service.domain.plan import Rules
from orchestrator_service.domain.statistics.blend import diverse, inverse_volatility
from orchestrator_service.domain.statistics.bootstrap import Multiplicity, romano_wolf
from orchestrator_service.domain.statistics.overfitting import overfitting
from orchestrator_service.domain.statistics.sharpe import (
    annual,
    deflated_sharpe,
    expected_maximum,
    minimum_track_record,
    probabilistic_sharpe,
    shape_of,
)
from shared.contracts.messages import Message

Matrix = npt.NDArray[np.floating]

_BINS = 40


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the ledger: which trial it is, and how often it traded on SELECT."""

    model: str
    slot: int
    setting: int
    trades: int


class Histogram(Message):
    """Counts between `edges` (one more of them than counts)."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class BestTrial(Message):
    """The strongest eligible trial, beside what luck alone shows at the top of this ledger."""

    slot: int
    setting: int
    t: float
    p_select_fwer: float
    sharpe: float | None
    #: mean of the max-t null, as a Sharpe ratio
    luck_sharpe: float | None
    #: the same from the independent-trials formula with the ledger's variance
    expected_max_sharpe: float
    n_eff_implied: float | None
    psr: float | None
    dsr: float | None
    min_track_record_days: float | None
    pbo: float | None
    p_oos_loss: float | None
    null_max_t: Histogram
    trial_t: Histogram


class Evidence(Message):
    """What SELECT says about a run. Sharpe ratios are annual and of timing alpha; None: undefined."""

    trials: int
    failed: int
    live: int
    eligible: int
    passed: bool
    reason: str
    gate_level: float
    best: BestTrial | None = None


class Member(Message):
    """One nominated model, frozen: which trial, with what weight, and the artefact's hash. Strongest first."""

    model: str
    slot: int
    setting: int
    weight: float
    select_t: float


def gate(
    rows: Sequence[Row], ledger: Matrix, failed: int, rules: Rules, rng: np.random.Generator
) -> tuple[Evidence, list[Member]]:
    """Judge the whole ledger and choose what would go before the holdout; no members unless the gate passes.

    Parameters
    ----------
    rows
        One per row of `ledger`.
    ledger
        Daily timing alpha on SELECT, shape (K, T), flat days 0.
    failed
        Trials without a result: they count, but have no row.
    """
    whole = romano_wolf(ledger, rules.draws, rules.block_days, rng)
    order = [int(row) for row in np.argsort(-np.nan_to_num(whole.t, nan=-np.inf), kind="stable")]
    eligible = [row for row in order if whole.t[row] > 0 and rows[row].trades >= rules.min_trades]
    trials = len(rows) + failed
    best = _best_of_many(rows, ledger, whole, eligible[0], trials) if eligible else None
    if best is None:
        passed, reason = False, _no_eligible(whole, rows, rules)
    else:
        passed = best.p_select_fwer <= rules.gate_level
        judged = "is within" if passed else "exceeds"
        reason = f"the best trial's familywise p {best.p_select_fwer:.3f} {judged} {rules.gate_level:g}"
    evidence = Evidence(
        trials=trials,
        failed=failed,
        live=whole.live,
        eligible=len(eligible),
        passed=passed,
        reason=reason,
        gate_level=rules.gate_level,
        best=best,
    )
    return evidence, _nominate(rows, ledger, whole, eligible, rules) if passed else []


def _best_of_many(rows: Sequence[Row], ledger: Matrix, whole: Multiplicity, row: int, trials: int) -> BestTrial:
    # `trials` and not the rows: what failed was tried, too
    days = ledger.shape[1]
    shape = shape_of(ledger[row].astype(np.float64))
    live_t = whole.t[np.isfinite(whole.t)]
    variance = float((live_t / math.sqrt(days)).var(ddof=1)) if len(live_t) > 1 else 0.0
    split = overfitting(ledger)
    edges = _edges(whole)
    return BestTrial(
        slot=rows[row].slot,
        setting=rows[row].setting,
        t=float(whole.t[row]),
        p_select_fwer=float(whole.adjusted_p[row]),
        sharpe=_finite(annual(shape.sharpe)),
        luck_sharpe=_finite(annual(float(whole.null_max.mean()) / math.sqrt(days))),
        expected_max_sharpe=annual(expected_maximum(trials, math.sqrt(variance))),
        n_eff_implied=_finite(whole.effective_trials),
        psr=_finite(probabilistic_sharpe(shape)),
        dsr=_finite(deflated_sharpe(shape, trials, variance)),
        min_track_record_days=_finite(minimum_track_record(shape)),
        pbo=_finite(split.pbo),
        p_oos_loss=_finite(split.loss),
        null_max_t=_histogram(whole.null_max, edges),
        trial_t=_histogram(live_t, edges),
    )


def _nominate(
    rows: Sequence[Row], ledger: Matrix, whole: Multiplicity, eligible: Sequence[int], rules: Rules
) -> list[Member]:
    owners = [row.model for row in rows]
    taken = diverse(eligible, ledger, owners, rules.blend, rules.max_correlation)
    weights = inverse_volatility(ledger[taken])
    return [
        Member(
            model=rows[row].model,
            slot=rows[row].slot,
            setting=rows[row].setting,
            weight=float(weight),
            select_t=float(whole.t[row]),
        )
        for row, weight in zip(taken, weights, strict=True)
    ]


def _no_eligible(whole: Multiplicity, rows: Sequence[Row], rules: Rules) -> str:
    if not rows or whole.live == 0:
        return "no trial ever traded on SELECT"
    most = max(row.trades for row in rows)
    if most < rules.min_trades:
        return f"no trial has {rules.min_trades} trades on SELECT: the busiest made {most}"
    return f"no trial with {rules.min_trades} or more trades earned anything by timing on SELECT"


def _edges(whole: Multiplicity) -> npt.NDArray[np.float64]:
    live = whole.t[np.isfinite(whole.t)]
    low = min(float(whole.null_max.min()), float(live.min()))
    high = max(float(whole.null_max.max()), float(live.max()))
    return np.linspace(low, high + 1e-9, _BINS + 1)


def _histogram(values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> Histogram:
    counts, _ = np.histogram(values, edges)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
