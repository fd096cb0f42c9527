"""Markets: everything that a sweep's settings read, gathered from the lake into one set of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from shared.contracts.messages import Sweep, Window
from shared.errors import InvalidInput, NotFound
from simulation_service.domain.market import Floats, Market, market_of
from simulation_service.domain.records import Evidence, SignalsRecord
from simulation_service.domain.signals import laid_over
from simulation_service.store import Predicted, Registry, Series, no_predictions

#: fold number of a frozen artefact's predictions
_FROZEN = -1


@dataclass(frozen=True)
class Loaded:
    """A market, and where its predictions come from."""

    market: Market
    evidence: Evidence


class Markets:
    """Bars of a window, with what a model or a user said laid over them."""

    def __init__(self, series: Series, registry: Registry) -> None:
        self._series = series
        self._registry = registry

    def check(self, sweep: Sweep) -> None:
        """Raise NotFound at once when nothing was predicted in the window; opens no file."""
        own = self._registry.signals(sweep.model)
        if own is not None:
            _check_symbol(own, sweep.symbol)
        elif not self._series.has_predictions(sweep.model, sweep.symbol, sweep.window):
            raise no_predictions(sweep.model, sweep.symbol, sweep.window)

    def load(self, sweep: Sweep) -> Loaded:
        """Return what a sweep reads.

        Raises NotFound without predictions or bars, InvalidInput when the window mixes predictions of folds with
        those of the frozen artefact, or none of a user's times is one of a bar.
        """
        own = self._registry.signals(sweep.model)
        if own is not None:
            _check_symbol(own, sweep.symbol)
            bars = self._series.bars(sweep.symbol, sweep.window)
            return Loaded(_market(bars, self._laid(own, bars, sweep.window)), "own")
        predicted = self._series.predictions(sweep.model, sweep.symbol, sweep.window)
        evidence = evidence_of(sweep, predicted)
        bars = self._series.bars(sweep.symbol, sweep.window)
        joined = bars.join(predicted.frame, on="ts", how="left", maintain_order="left")
        return Loaded(_market(bars, joined["prediction"].fill_null(np.nan).to_numpy()), evidence)

    def _laid(self, own: SignalsRecord, bars: pl.DataFrame, window: Window) -> Floats:
        said = self._series.signals(own.fingerprint)
        on_bars = laid_over(own.kind, _us(said["ts"]), said["value"].fill_null(np.nan).to_numpy(), _us(bars["ts"]))
        if not np.isfinite(on_bars).any():
            raise InvalidInput(
                f"none of the {own.rows:,} times of {own.name!r} ({own.first_ts:%Y-%m-%d %H:%M} to "
                f"{own.last_ts:%Y-%m-%d %H:%M} UTC) is the start of a bar of {own.symbol} from {window.start} to "
                f"{window.end}: ts must be the start of a bar, in UTC"
            )
        return on_bars


def evidence_of(sweep: Sweep, predicted: Predicted) -> Evidence:
    """Return which predictions the window holds: 'frozen' or 'folds'.

    Both are out-of-sample. Those of the folds come from other fits than the artefact that would be promoted, so
    the two are never mixed in one sweep. Raises InvalidInput when the window holds both.
    """
    frozen = _FROZEN in predicted.folds
    if frozen and len(predicted.folds) > 1:
        raise InvalidInput(
            f"the window from {sweep.window.start} to {sweep.window.end} reaches into the training of model "
            f"{sweep.model[:10]}: it holds predictions of the frozen model and of its walk-forward folds "
            f"{[fold for fold in predicted.folds if fold != _FROZEN]}. Start after the training, or end before its end"
        )
    return "frozen" if frozen else "folds"


def _market(bars: pl.DataFrame, prediction: Floats) -> Market:
    return market_of(
        ts_us=_us(bars["ts"]),
        open=bars["open"].to_numpy(),
        high=bars["high"].to_numpy(),
        low=bars["low"].to_numpy(),
        close=bars["close"].to_numpy(),
        prediction=prediction,
        fillable=(bars["source"].fill_null("") != "filled").to_numpy(),
    )


def _us(stamps: pl.Series) -> np.ndarray:
    return stamps.dt.epoch("us").to_numpy()


def _check_symbol(own: SignalsRecord, symbol: str) -> None:
    if own.symbol != symbol:
        raise NotFound(
            f"{own.name!r} ({own.fingerprint[:10]}) was brought for {own.symbol}, not for {symbol}: "
            f"simulate it on {own.symbol}, or send it again for {symbol}"
        )
