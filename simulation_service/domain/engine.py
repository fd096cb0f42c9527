"""A sweep: every setting over one market, and the full detail of one setting on demand.

1. The market is one set of arrays shared by all settings; nothing is copied for a setting.
2. `kernel.walk` passes over the bars once a setting and leaves its sums, its equity at each session's end and its
   position summed by time of day.
3. Daily returns, the static time-of-day portfolio and the timing alpha follow from those; so do the metrics.
4. `detail` runs the same compiled walk for one setting with recording on.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.contracts.messages import Costs, Fill, Metrics, Setting
from shared.contracts.progress import NoProgress, Progress
from simulation_service.domain.market import SLOTS, Market
from simulation_service.domain.metrics import Daily, Tally, daily_returns, metrics_of

Floats = npt.NDArray[np.float64]

#: Part of every sweep's fingerprint: bump it when a change here or in the kernel changes a number.
CODE_VERSION = "simulation-1"

_FILL = {Fill.OPEN: 0, Fill.MIDPOINT: 1, Fill.CLOSE: 2}
#: settings between two progress reports
_CHUNK = 64


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

    trades : float64 of shape (trades, kernel.TRADE); the kernel names the columns
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

    The result does not depend on `threads`: settings share nothing but what they read.
    """
    from simulation_service.domain import kernel

    inputs, out = _inputs(market, settings, terms), _Out(len(settings), market.sessions, kernel.TALLY)
    watch, done = progress or NoProgress(), 0
    chunks = [(first, min(first + _CHUNK, len(settings))) for first in range(0, len(settings), _CHUNK)]

    def run(chunk: tuple[int, int]) -> int:
        kernel.walk(np.array(chunk), *inputs, out.tallies, out.day_equity, out.held)
        return chunk[1] - chunk[0]

    with ThreadPoolExecutor(threads) as pool:
        for finished in pool.map(run, chunks):
            done += finished
            watch.advanced(done / len(settings), f"{done} of {len(settings)} settings")
    return _result(market, terms, out, baseline)


def detail(market: Market, setting: Setting, terms: Terms, *, baseline: Floats | None = None) -> Detail:
    """Simulate one setting with every trade and every bar's account recorded; metrics equal `sweep`'s exactly."""
    from simulation_service.domain import kernel

    inputs, out = _inputs(market, [setting], terms), _Out(1, market.sessions, kernel.TALLY)
    # a trade may end and the opposite one begin on each bar, and end again at the session's close
    trades = np.zeros((market.bars + market.sessions + 1, kernel.TRADE))
    account = np.zeros((market.bars, 3))
    kernel.walk(np.array((0, 1)), *inputs, out.tallies, out.day_equity, out.held, trades, account)
    result = _result(market, terms, out, baseline)
    cash, shares, position = np.ascontiguousarray(account.T)
    return Detail(
        trades=trades[: int(out.tallies[0, kernel.TRADES])],
        cash=cash,
        shares=shares,
        position=position,
        equity=cash + shares * market.close,
        metrics=result.metrics[0],
        timing_alpha=result.timing_alpha[0],
    )


class _Out:
    """What the kernel writes."""

    def __init__(self, settings: int, sessions: int, tally: int) -> None:
        self.tallies = np.zeros((settings, tally))
        self.day_equity = np.zeros((settings, sessions))
        self.held = np.zeros((settings, SLOTS))


def _inputs(market: Market, settings: Sequence[Setting], terms: Terms) -> tuple[Any, ...]:
    bars = (
        market.open, market.high, market.low, market.close, market.prediction, market.minute, market.fillable,
    )  # fmt: skip
    grid = (
        np.array([setting.threshold for setting in settings], dtype=np.float64),
        np.array([setting.side == "long_short" for setting in settings]),
        np.array([setting.hold_bars for setting in settings], dtype=np.int64),
        np.array([setting.delay_bars for setting in settings], dtype=np.int64),
        np.array([_FILL[setting.fill] for setting in settings], dtype=np.int64),
        np.array([setting.flat_at_close for setting in settings]),
    )
    costs = np.array(
        [terms.costs.fee_per_fill, terms.costs.fee_per_share, terms.costs.half_spread_bps * 1e-4], dtype=np.float64
    )
    sessions = (market.starts, market.closing, market.last_minute)
    return bars, sessions, grid, costs, float(terms.starting_cash)


def _result(market: Market, terms: Terms, out: _Out, baseline: Floats | None) -> SweepResult:
    mean_position = mean_positions(out.held, market)
    returns = daily_returns(out.day_equity, terms.starting_cash)
    alpha = returns - static_portfolio(market, mean_position if baseline is None else baseline)
    metrics = tuple(
        metrics_of(
            Tally.of_row(row),
            Daily(returns=returns[index], alpha=alpha[index]),
            bars=market.bars,
            starting_cash=terms.starting_cash,
            buy_hold_return=market.buy_hold_return,
        )
        for index, row in enumerate(out.tallies)
    )
    return SweepResult(metrics=metrics, daily_returns=returns, timing_alpha=alpha, mean_position=mean_position)


def mean_positions(held: Floats, market: Market) -> Floats:
    """Return positions summed over sessions as means over the sessions that have the slot; 0 where none has."""
    return held / np.maximum(market.slot_count, 1)


def static_portfolio(market: Market, mean_position: Floats) -> Floats:
    """Return what holding `mean_position` (settings, SLOTS) every day would earn; shape (settings, sessions)."""
    from simulation_service.domain import kernel

    out = np.zeros((len(mean_position), market.sessions))
    kernel.static_returns(np.ascontiguousarray(mean_position), market.slot_return, out)
    return out
