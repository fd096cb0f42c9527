"""Runs: single settings of stored sweeps, listed, and opened in full."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from pydantic import ValidationError

from shared.errors import Conflict, NotFound
from simulation_service.domain import engine
from simulation_service.domain.breakdown import by_month, by_regime
from simulation_service.domain.engine import CODE_VERSION, Terms
from simulation_service.domain.market import Market
from simulation_service.domain.records import Run, SweepRecord, split_run_id
from simulation_service.store import Registry, RunFilter, Series
from simulation_service.use_cases.markets import Loaded, Markets, Reads
from simulation_service.use_cases.sweeps import frozen_exposures


@dataclass(frozen=True, kw_only=True)
class RunDetail:
    """A run in full: what was traded, and the account after each bar."""

    run: Run
    sweep: SweepRecord
    trades: pl.DataFrame
    equity: pl.DataFrame
    market: Market


class Runs:
    """Single settings of stored sweeps."""

    def __init__(self, series: Series, registry: Registry, markets: Markets) -> None:
        self._series = series
        self._registry = registry
        self._markets = markets

    def page(self, wanted: RunFilter) -> tuple[list[Run], int]:
        """Return a page of runs and how many the filters leave."""
        return self._registry.runs(wanted)

    def run(self, run_id: str) -> Run:
        """Return one run. Raises NotFound."""
        run = self._registry.run(*split_run_id(run_id))
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        return run

    def with_sweep(self, run_id: str) -> tuple[Run, SweepRecord]:
        """Return a run and its sweep. Raises NotFound."""
        run = self.run(run_id)
        record = self._registry.sweep(run.sweep)
        if record is None:
            raise NotFound(f"there is no sweep {run.sweep}")
        return run, record

    def daily(self, run_id: str) -> pl.DataFrame:
        """Return a run's rows of the trial ledger: session, daily_return, timing_alpha. Raises NotFound."""
        run = self.run(run_id)
        return self._series.trials(run.sweep, run.index)

    def reload(self, run_id: str) -> tuple[Run, SweepRecord, Loaded]:
        """Return a run and the market it was walked over, read again.

        Raises Conflict when the code is of another version, or bars, predictions or filters of the window are no
        longer those the sweep read.
        """
        run, sweep = self.with_sweep(run_id)
        if sweep.code_version != CODE_VERSION:
            raise _other_code(sweep)
        try:
            loaded = self._markets.load(sweep.asked(run.setting), Reads.stored(sweep.reads))
        except ValidationError:
            raise _other_code(sweep) from None
        if sweep.data_version != loaded.market.data_version:
            raise Conflict(
                f"the bars or predictions of {sweep.symbol} from {sweep.window_start} to {sweep.window_end} have "
                f"changed since sweep {sweep.fingerprint[:10]} was made: its figures stand, its trades can be shown "
                "again only after simulating it anew"
            )
        return run, sweep, loaded

    def detail(self, run_id: str) -> RunDetail:
        """Simulate a stored run again from the lake, with every trade and bar recorded.

        Raises Conflict as `reload` does, and when the figures worked out from the trades differ from the stored ones.
        """
        # imported here: they pull numba, which listing runs does not need
        from simulation_service.domain.audit import metrics_from
        from simulation_service.domain.tables import equity_frame, trades_frame

        run, sweep, loaded = self.reload(run_id)
        market = loaded.market
        terms = Terms(costs=sweep.costs, starting_cash=sweep.starting_cash)
        own = sweep.baseline_settings[run.index : run.index + 1]
        baseline = frozen_exposures(self._series, self._registry, sweep.baseline_sweep, own)
        detail = engine.detail(market, run.setting, terms, baseline=baseline)
        again = metrics_from(market, run.setting, terms, detail, baseline=baseline)
        if again != run.metrics:
            raise Conflict(f"run {run_id} does not add up: stored {run.metrics}, its trades give {again}")
        return RunDetail(
            run=run,
            sweep=sweep,
            trades=trades_frame(market, detail),
            equity=equity_frame(market, detail, sweep.starting_cash),
            market=market,
        )

    def months(self, detail: RunDetail) -> pl.DataFrame:
        """Return the run by month."""
        return by_month(detail.equity, detail.trades, detail.sweep.starting_cash)

    def regimes(self, detail: RunDetail) -> pl.DataFrame:
        """Return the run by regime: those its setting names, and every regime_* column the symbol has; maybe none."""
        states = self._markets.regimes(detail.run.symbol, detail.sweep.window, detail.market)
        return by_regime(detail.market, states, detail.equity, detail.trades, detail.sweep.starting_cash)


def _other_code(sweep: SweepRecord) -> Conflict:
    return Conflict(
        f"sweep {sweep.fingerprint[:10]} was made by {sweep.code_version}, this is {CODE_VERSION}: "
        "its figures stand, its trades can be shown again only after simulating it anew"
    )
