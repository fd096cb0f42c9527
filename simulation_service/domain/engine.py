"""A sweep: every setting over one market, and the full detail of one setting on demand.

1. `plan` turns market and settings into one set of arrays shared by all settings; nothing is copied for a setting.
2. `jump.walk` goes from trade to trade for each setting and leaves its sums, its equity at each session's end and its
   position summed by time of day.
3. Daily returns, the static time-of-day portfolio and the timing alpha follow from those; so do the metrics.
4. `detail` walks one setting bar by bar (`step.walk`) with everything recorded and the books checked on each bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.contracts.backtests import Costs, Metrics, Setting
from shared.contracts.progress import NoProgress, Progress
from simulation_service.domain import columns as c
from simulation_service.domain.market import SLOTS, Market
from simulation_service.domain.metrics import Account, daily_returns, metrics_of
from simulation_service.domain.plan import Plan

Floats = npt.NDArray[np.float64]

#: Part of every sweep's fingerprint: bump it when a change here or in the kernel changes a number.
CODE_VERSION = "simulation-4"

#: settings between two progress reports
_CHUNK = 128
#: of the largest sum of money in the account: what rounding may leave between two sets of books
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a sweep's settings share: costs and the account they start with."""

    costs: Costs
    starting_cash: float


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """All settings of a sweep, in order.

    metrics : one a setting
    daily_returns, timing_alpha : float64 of shape (settings, sessions)
    mean_position : float64 of shape (settings, SLOTS); measured here, also when alpha used a frozen baseline
    """

    metrics: tuple[Metrics, ...]
    daily_returns: Floats
    timing_alpha: Floats
    mean_position: Floats


@dataclass(frozen=True, kw_only=True)
class Detail:
    """One setting in full.

    trades : float64 of shape (trades, columns.TRADE); `columns` names them
    cash, shares, position : float64 of shape (bars,) after each bar; position is what was held over the bar, -1..1
    equity : cash + shares x close
    """

    trades: Floats
    cash: Floats
    shares: Floats
    position: Floats
    equity: Floats
    metrics: Metrics
    timing_alpha: Floats


def sweep(
    market: Market,
    settings: Sequence[Setting],
    terms: Terms,
    *,
    baseline: Floats | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> SweepResult:
    """Simulate every setting over `market`.

    baseline : float64 of shape (settings, SLOTS), frozen mean positions that timing alpha is measured against;
        None takes each setting's own over this window.

    The result does not depend on `threads`: settings share nothing but what they read. Raises InvalidInput when a
    setting or the costs read a series that the market does not carry.
    """
    from simulation_service.domain import jump

    plan, out = Plan(market, settings, terms.costs), _Out(len(settings), market.sessions)
    watch, done = progress or NoProgress(), 0
    chunks = [plan.order[first : first + _CHUNK] for first in range(0, len(settings), _CHUNK)]
    cash = float(terms.starting_cash)

    def run(chunk: npt.NDArray[np.int64]) -> int:
        jump.walk(
            chunk, plan.bars, plan.days, plan.lookups, plan.signals, plan.choices, plan.numbers, plan.costs,
            plan.liquidity, cash, out.tallies, out.day_equity, out.held,
            (*plan.space(), np.empty(SLOTS + 1), np.empty(3)),
        )  # fmt: skip
        # not for all at once at the end: while one thread makes figures of its chunk, the others walk
        out.account_for(chunk, market, terms, baseline)
        return len(chunk)

    with ThreadPoolExecutor(threads) as pool:
        for finished in pool.map(run, chunks):
            done += finished
            watch.advanced(done / len(settings), f"{done} of {len(settings)} settings")
    return SweepResult(
        metrics=tuple(out.metrics[index] for index in range(len(settings))),
        daily_returns=out.returns,
        timing_alpha=out.alpha,
        mean_position=out.position,
    )


def detail(market: Market, setting: Setting, terms: Terms, *, baseline: Floats | None = None) -> Detail:
    """Simulate one setting with every trade and every bar's account recorded; metrics equal `sweep`'s exactly.

    Raises ArithmeticError when the books do not balance on some bar: a fault of this code, never of the input.
    """
    from simulation_service.domain import step

    plan, out = Plan(market, [setting], terms.costs), _Out(1, market.sessions)
    # a trade may end and the opposite one begin on each bar, and end again at the session's close
    trades = np.zeros((2 * market.bars + 1, c.TRADE))
    account = np.zeros((market.bars, c.ACCOUNT))
    step.walk(
        plan.bars, plan.days, plan.signals, plan.choices, plan.numbers, plan.costs, plan.liquidity,
        float(terms.starting_cash), out.tallies[0], out.day_equity[0], out.held[0], trades, account,
        (*plan.space(), np.zeros(step.BOOK)),
    )  # fmt: skip
    out.account_for(np.zeros(1, dtype=np.int64), market, terms, baseline)
    cash, shares, position, error = np.ascontiguousarray(account.T)
    equity = cash + shares * market.close
    scale = max(terms.starting_cash, float(np.abs(cash).max()), float(np.abs(equity).max()))
    if error.max() > _ROUNDING * scale:
        bar = int(error.argmax())
        raise ArithmeticError(
            f"bar {bar}: cash {cash[bar]} + {shares[bar]} x {market.close[bar]} is {error[bar]} away from the last "
            f"bar's equity and what happened since, under {setting}"
        )
    return Detail(
        trades=trades[: int(out.tallies[0, c.TRADES])].copy(),
        cash=cash,
        shares=shares,
        position=position,
        equity=equity,
        metrics=out.metrics[0],
        timing_alpha=out.alpha[0],
    )


class _Out:
    """What the walks write, and what follows from it."""

    def __init__(self, settings: int, sessions: int) -> None:
        self.tallies = np.zeros((settings, c.TALLY))
        self.day_equity = np.zeros((settings, sessions))
        self.held = np.zeros((settings, SLOTS))
        self.returns = np.empty((settings, sessions))
        self.alpha = np.empty((settings, sessions))
        self.position = np.empty((settings, SLOTS))
        self.metrics: dict[int, Metrics] = {}

    def account_for(self, rows: npt.NDArray[np.int64], market: Market, terms: Terms, baseline: Floats | None) -> None:
        """Work out returns, alpha and figures of the settings in `rows`, each by itself."""
        returns = daily_returns(self.day_equity[rows], terms.starting_cash)
        position = mean_positions(self.held[rows], market)
        alpha = returns - static_portfolio(market, position if baseline is None else baseline[rows])
        figures = metrics_of(self.tallies[rows], returns, alpha, account_of(market, terms))
        self.returns[rows], self.alpha[rows], self.position[rows] = returns, alpha, position
        self.metrics.update(zip(rows.tolist(), figures, strict=True))


def account_of(market: Market, terms: Terms) -> Account:
    return Account(bars=market.bars, starting_cash=terms.starting_cash, buy_hold_return=market.buy_hold_return)


def mean_positions(held: Floats, market: Market) -> Floats:
    """Return positions summed over sessions as means over the sessions that have the slot; 0 where none has."""
    return held / np.maximum(market.slot_count, 1)


def static_portfolio(market: Market, mean_position: Floats) -> Floats:
    """Return what holding `mean_position` (settings, SLOTS) every day would earn; shape (settings, sessions)."""
    from simulation_service.domain import kernel

    out = np.zeros((len(mean_position), market.sessions))
    kernel.static_returns(np.ascontiguousarray(mean_position), market.slot_return, out)
    return out
