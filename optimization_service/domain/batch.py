"""A batch: which models on which symbols over which windows, under which settings. Its fingerprint is its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.identifiers import fingerprint
from shared.contracts.messages import Costs, Fill, Fingerprint, Message, Predict, Setting, Sweep, Symbol, Window
from shared.errors import InvalidInput

#: bumped when the same definition would lead to other trials
CODE_VERSION = "optimization-1"

#: the thresholds every search begins with, in the target's unit (log return)
THRESHOLDS = (0.0001, 0.0005, 0.0010, 0.0020)
HOLD_BARS = (0, 15)

MAX_SETTINGS, MAX_TRIALS = 1_000, 100_000


Side = Literal["long_flat", "long_short"]


Threshold = Annotated[float, Field(ge=0, allow_inf_nan=False)]
HoldBars = Annotated[int, Field(ge=0, le=100_000)]


class Grid(Message):
    """The settings of a batch: every combination of these."""

    thresholds: tuple[Threshold, ...] = Field(default=THRESHOLDS, min_length=1)
    hold_bars: tuple[HoldBars, ...] = Field(default=HOLD_BARS, min_length=1)
    sides: tuple[Side, ...] = Field(default=("long_flat",), min_length=1)
    delay_bars: tuple[Annotated[int, Field(ge=1, le=60)], ...] = Field(default=(1,), min_length=1)
    fills: tuple[Fill, ...] = Field(default=(Fill.OPEN,), min_length=1)

    def settings(self) -> tuple[Setting, ...]:
        """Return every combination, each once, in a fixed order. Raises InvalidInput for more than MAX_SETTINGS."""
        market: list[tuple[Side, Fill, int]] = [
            (side, fill, delay) for side in self.sides for fill in self.fills for delay in self.delay_bars
        ]
        timing = [(hold, threshold) for hold in self.hold_bars for threshold in self.thresholds]
        # keyed by itself: a value named twice makes no second trial
        found = {
            Setting(threshold=threshold, side=side, hold_bars=hold, delay_bars=delay, fill=fill): None
            for side, fill, delay in market
            for hold, threshold in timing
        }
        if len(found) > MAX_SETTINGS:
            raise InvalidInput(f"the grid has {len(found)} settings: at most {MAX_SETTINGS} a batch, split it")
        return tuple(found)


class Pair(Message):
    """One model on one symbol over one window: one sweep."""

    model: Fingerprint
    symbol: Symbol
    window: Window

    def prediction(self) -> Predict:
        return Predict(model=self.model, symbol=self.symbol, window=self.window)


class Batch(Message):
    """A batch in full: nothing in it depends on when it was asked for."""

    pairs: tuple[Pair, ...] = Field(min_length=1)
    settings: tuple[Setting, ...] = Field(min_length=1, max_length=MAX_SETTINGS)
    costs: Costs = Costs()
    starting_cash: float = Field(default=100_000.0, gt=0)

    @property
    def trials(self) -> int:
        return len(self.pairs) * len(self.settings)

    @property
    def fingerprint(self) -> str:
        return fingerprint("batch", code_version=CODE_VERSION, **self.model_dump())

    def sweep(self, pair: Pair) -> Sweep:
        return Sweep(
            model=pair.model,
            symbol=pair.symbol,
            window=pair.window,
            settings=self.settings,
            costs=self.costs,
            starting_cash=self.starting_cash,
        )


class Failure(Message):
    """A pair that has no result, and why."""

    model: Fingerprint
    symbol: Symbol
    error: str


def batch_of(pairs: Sequence[Pair], grid: Grid, *, costs: Costs, starting_cash: float) -> Batch:
    """Return the batch. Raises InvalidInput when it has no pair, or more than MAX_TRIALS trials."""
    unique = sorted({(pair.model, pair.symbol): pair for pair in pairs}.values(), key=lambda p: (p.model, p.symbol))
    settings = grid.settings()
    if not unique:
        raise InvalidInput("the batch has no model to try: name models, or ask for the top ones after training some")
    if len(unique) * len(settings) > MAX_TRIALS:
        raise InvalidInput(
            f"{len(unique)} models and symbols x {len(settings)} settings are {len(unique) * len(settings)} trials: "
            f"at most {MAX_TRIALS} a batch, split it"
        )
    return Batch(pairs=tuple(unique), settings=settings, costs=costs, starting_cash=starting_cash)
