"""Markets: everything that a sweep's settings read, gathered from the lake into one set of arrays."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import polars as pl

from shared.contracts.backtests import Costs, Setting, Signal
from shared.contracts.datasets import TS
from shared.contracts.messages import PREDICTED, Sweep, Window
from shared.errors import InvalidInput, NotFound
from shared.storage.postgres import Connection
from simulation_service.domain.bot import BotSpec, Said
from simulation_service.domain.market import LAST_STATE, Floats, Market, States, market_of
from simulation_service.domain.records import Evidence, SignalsRecord
from simulation_service.domain.signals import check_unit, laid_over
from simulation_service.store import Predicted, Registry, Series, no_predictions
from simulation_service.use_cases.bots import Bots, said_of

Fence = Callable[[Connection], None]

#: fold number of a frozen artefact's predictions
_FROZEN = -1
#: before any bar
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What settings read beside bars and predictions: part of a sweep's data, so kept with it."""

    volume: bool = False
    regimes: tuple[str, ...] = ()
    #: what the bot takes the predictions for; None: no setting asks it
    bot: Signal | None = None

    @classmethod
    def of(cls, sweep: Sweep) -> Self:
        settings, costs = sweep.settings, sweep.costs
        return cls(
            volume=_reads_volume(costs),
            regimes=tuple(sorted({setting.regime for setting in settings if setting.regime is not None})),
            bot=_judged(settings),
        )

    @classmethod
    def stored(cls, kept: dict[str, Any]) -> Self:
        bot = kept.get("bot")
        regimes = tuple(kept.get("regimes", ()))
        return cls(volume=kept.get("volume", False), regimes=regimes, bot=Signal(bot) if bot else None)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Loaded:
    """A market, and where its predictions come from."""

    market: Market
    evidence: Evidence


class Markets:
    """Bars of a window, with what a model or a user said laid over them, and what the settings' filters read."""

    def __init__(self, series: Series, registry: Registry) -> None:
        self._series = series
        self._registry = registry
        self._bots = Bots(series)

    def check(self, sweep: Sweep) -> None:
        """Raise NotFound at once when nothing was predicted in the window; opens no file.

        Raises InvalidInput when a setting reads what was said as what it is not.
        """
        own = self._registry.signals(sweep.model)
        if own is not None:
            _check_symbol(own, sweep.symbol)
        elif not self._series.has_predictions(sweep.model, sweep.symbol, sweep.window):
            raise no_predictions(sweep.model, sweep.symbol, sweep.window)
        _check_signals(sweep, own)

    def load(self, sweep: Sweep, reads: Reads, still_mine: Fence | None = None) -> Loaded:
        """Return what a sweep reads.

        Raises NotFound without predictions, bars, a regime's column or anything the bot could learn from;
        InvalidInput when the window mixes predictions of folds with those of the frozen artefact, when none of a
        user's times is one of a bar, or a regime's column holds no states.
        """
        own = self._registry.signals(sweep.model)
        if own is not None:
            _check_symbol(own, sweep.symbol)
        bars = self._series.bars(sweep.symbol, sweep.window)
        prediction, evidence = self._of_model(sweep, bars) if own is None else self._of_user(sweep, own, bars)
        _check_signals(sweep, own)
        _check_units(sweep, prediction, bars)
        market = market_of(
            ts_us=_us(bars["ts"]),
            open=bars["open"].to_numpy(),
            high=bars["high"].to_numpy(),
            low=bars["low"].to_numpy(),
            close=bars["close"].to_numpy(),
            prediction=prediction,
            fillable=(bars["source"].fill_null("") != "filled").to_numpy(),
            volume=bars["volume"].cast(pl.Float64).fill_null(np.nan).to_numpy() if reads.volume else None,
            regimes={name: self._states(name, sweep.symbol, sweep.window, bars["ts"]) for name in reads.regimes},
            bot_probability=None if reads.bot is None else self._bot(sweep, reads.bot, own, bars, still_mine),
        )
        return Loaded(market, evidence)

    def _of_model(self, sweep: Sweep, bars: pl.DataFrame) -> tuple[Floats, Evidence]:
        predicted = self._series.predictions(sweep.model, sweep.symbol, sweep.window)
        evidence = evidence_of(sweep, predicted)
        joined = bars.join(predicted.frame, on="ts", how="left", maintain_order="left")
        return joined["prediction"].fill_null(np.nan).to_numpy(), evidence

    # series of users ----------------------------------------------------------------------------------------------

    def _of_user(self, sweep: Sweep, own: SignalsRecord, bars: pl.DataFrame) -> tuple[Floats, Evidence]:
        on_bars = self._laid(own, bars)
        if not np.isfinite(on_bars).any():
            raise InvalidInput(
                f"none of the {own.rows:,} times of {own.name!r} ({own.first_ts:%Y-%m-%d %H:%M} to "
                f"{own.last_ts:%Y-%m-%d %H:%M} UTC) is the start of a bar of {own.symbol} from {sweep.window.start} "
                f"to {sweep.window.end}: ts must be the start of a bar, in UTC"
            )
        return _on_basis(on_bars, bars, {setting.signal for setting in sweep.settings}), "own"

    def _laid(self, own: SignalsRecord, bars: pl.DataFrame) -> Floats:
        said = self._series.signals(own.fingerprint)
        return laid_over(own.kind, _us(said["ts"]), said["value"].fill_null(np.nan).to_numpy(), _us(bars["ts"]))

    # regimes ------------------------------------------------------------------------------------------------------

    def regimes(self, symbol: str, window: Window, market: Market) -> dict[str, States]:
        """Return the states of every column named regime_* that the symbol's features have, and those of `market`."""
        stamps = pl.Series("ts", market.ts_us).cast(TS)
        found = dict(market.regimes)
        for name in self._series.columns_called(symbol, "regime_", window):
            if name not in found:
                with suppress(InvalidInput):  # no states: another kind of column of that name
                    found[name] = self._states(name, symbol, window, stamps)
        return found

    def _states(self, name: str, symbol: str, window: Window, stamps: pl.Series) -> States:
        """Return a regime's state on each bar, -1 where it is unknown."""
        stored = self._series.feature_column(symbol, name, window)
        column = stamps.to_frame("ts").join(stored, on="ts", how="left", maintain_order="left")["value"]
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        known = np.isfinite(values)
        states = np.where(known, values, -1.0)
        wrong = (states != np.round(states)) | (states < -1) | (states > LAST_STATE)
        if wrong.any():
            raise InvalidInput(
                f"regime {name!r} of {symbol} is {states[wrong][0]:g} on {stamps[int(wrong.argmax())]}: "
                f"states are whole numbers from 0 to {LAST_STATE}, -1 or missing where unknown"
            )
        if not (states >= 0).any():
            raise InvalidInput(f"regime {name!r} of {symbol} is unknown on every bar of the window")
        return states.astype(np.int8)

    # the bot ------------------------------------------------------------------------------------------------------

    def _bot(
        self, sweep: Sweep, signal: Signal, own: SignalsRecord | None, bars: pl.DataFrame, still_mine: Fence | None
    ) -> Floats:
        """Return the bot's probability on each bar of the window, NaN where it says nothing.

        It learns from everything said before, so it reads from the first prediction on, and nothing after the window.
        """
        spec = BotSpec(horizon_bars=sweep.bot_horizon_bars)
        said, teacher = self._said(sweep, own, signal)
        found = self._bots.probability(said, spec, teacher=teacher, still_mine=still_mine)
        joined = bars.select("ts").join(found, on="ts", how="left", maintain_order="left")
        return joined["probability"].fill_null(np.nan).to_numpy()

    def _said(self, sweep: Sweep, own: SignalsRecord | None, signal: Signal) -> tuple[Said, Said | None]:
        if own is not None:
            bars = self._series.bars(sweep.symbol, Window(start=own.first_ts, end=sweep.window.end))
            months = (bars["ts"].dt.year().cast(pl.Int64) * 12 + bars["ts"].dt.month()).to_numpy()
            return said_of(bars, _on_basis(self._laid(own, bars), bars, {signal}), months, signal), None
        until = Window(start=_EARLIEST, end=sweep.window.end)
        said = self._predicted_by(sweep.model, sweep.symbol, until, signal)
        if len(np.unique(said.block[said.block >= 0])) > 1:
            return said, None
        taught = self._series.symbol_of_folds(sweep.model)
        if taught is None or taught == sweep.symbol:
            return said, None
        return said, self._predicted_by(sweep.model, taught, until, signal)

    def _predicted_by(self, model: str, symbol: str, window: Window, signal: Signal) -> Said:
        predicted = self._series.predictions(model, symbol, window).frame
        bars = self._series.bars(symbol, Window(start=predicted["ts"][0], end=window.end))
        joined = bars.join(predicted, on="ts", how="left", maintain_order="left")
        fold = joined["fold"].fill_null(_FROZEN).to_numpy().astype(np.int64)
        # the frozen model's predictions come after every fold's
        block = np.where(fold == _FROZEN, fold.max() + 1, fold)
        prediction = _on_basis(joined["prediction"].fill_null(np.nan).to_numpy(), bars, {signal})
        return said_of(bars, prediction, block, signal)


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


def _reads_volume(costs: Costs) -> bool:
    return costs.participation is not None or costs.volume_impact > 0


def _judged(settings: tuple[Setting, ...]) -> Signal | None:
    """Return what settings with a bot take predictions for. Raises InvalidInput when they do not agree."""
    signals = {setting.signal for setting in settings if setting.bot_threshold is not None}
    if len(signals) > 1:
        raise InvalidInput(f"settings with a bot say {', '.join(sorted(signals))}: predictions are one of them")
    return signals.pop() if signals else None


def _us(stamps: pl.Series) -> np.ndarray:
    return stamps.dt.epoch("us").to_numpy()


def _on_basis(said: Floats, bars: pl.DataFrame, signals: set[Signal]) -> Floats:
    """Return predictions in shares of the bars' last day: prices before a split were said in those of then."""
    return said * bars["basis"].to_numpy() if Signal.PRICE in signals else said


def _check_signals(sweep: Sweep, own: SignalsRecord | None) -> None:
    """Raise InvalidInput when a setting reads what a model or a user said as what it is known not to be."""
    for setting in sweep.settings:
        if own is None and setting.signal is not PREDICTED:
            raise InvalidInput(
                f"model {sweep.model[:10]} predicts a {PREDICTED}, but a setting reads it as {setting.signal}: "
                f"use signal {PREDICTED}, and thresholds in that unit (0.001 is a tenth of a percent)"
            )
        if own is not None and (setting.signal is Signal.POSITION) != (own.kind == "position"):
            raise InvalidInput(
                f"{own.name!r} says a {own.kind}, but a setting reads it as {setting.signal}: "
                f"{'use signal position with threshold 0' if own.kind == 'position' else 'name its unit'}"
            )


def _check_units(sweep: Sweep, prediction: Floats, bars: pl.DataFrame) -> None:
    for signal in sorted({setting.signal for setting in sweep.settings}):
        check_unit(signal, prediction, bars["close"].to_numpy())


def _check_symbol(own: SignalsRecord, symbol: str) -> None:
    if own.symbol != symbol:
        raise NotFound(
            f"{own.name!r} ({own.fingerprint[:10]}) was brought for {own.symbol}, not for {symbol}: "
            f"simulate it on {own.symbol}, or send it again for {symbol}"
        )
