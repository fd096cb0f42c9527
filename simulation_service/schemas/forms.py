"""What the pages' forms send."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from shared.contracts.backtests import Costs, Fill, Setting, Signal
from shared.contracts.messages import Day, Fingerprint, Sweep, Symbol, Window, midnight
from shared.web.forms import Listed

Threshold = Annotated[float, Field(ge=0, allow_inf_nan=False)]
State = Annotated[int, Field(ge=0, le=127)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class SimulateForm(BaseModel):
    """What the page's form sends. Days begin at 00:00 UTC; the last one is not included."""

    #: None: every model that has predictions of the symbol in the window
    model: Fingerprint | None = None
    symbol: Symbol
    start: Day
    end: Day
    thresholds: Annotated[tuple[Threshold, ...], Listed] = (0.0001, 0.0005, 0.001, 0.002)
    hold_bars: Annotated[tuple[Count, ...], Listed] = (0, 15)
    signal: Signal = Signal.LOG_RETURN
    side: Literal["long_flat", "long_short", "short_flat"] = "long_flat"
    z_limit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    volatility_scaled: bool = False
    regime: str | None = Field(default=None, max_length=200)
    regime_states: Annotated[tuple[State, ...], Listed] = ()
    bot_threshold: float | None = Field(default=None, ge=0, lt=1)
    stop_loss: float | None = Field(default=None, gt=0, lt=1)
    take_profit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    delay_bars: int = Field(default=1, ge=0, le=60)
    fill: Fill = Fill.OPEN
    fee_per_fill: float = Field(default=0.02, ge=0, allow_inf_nan=False)
    half_spread_bps: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    slippage_bps: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    starting_cash: float = Field(default=100_000.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"the window starts on {self.start} but ends on {self.end}: start must come first")
        if not 1 <= len(self.thresholds) * len(self.hold_bars) <= 1_000:
            raise ValueError(
                f"{len(self.thresholds)} thresholds x {len(self.hold_bars)} holding times: "
                "between 1 and 1,000 settings a sweep"
            )
        # what a setting refuses, the form refuses
        self.settings()
        return self

    @property
    def window(self) -> Window:
        return Window(start=midnight(self.start), end=midnight(self.end))

    def settings(self) -> tuple[Setting, ...]:
        common = self.model_dump(include=set(Setting.model_fields) - {"hold_bars"})
        return tuple(
            Setting(threshold=threshold, hold_bars=hold, **common)
            for hold in self.hold_bars
            for threshold in self.thresholds
        )

    def sweep(self, model: str) -> Sweep:
        return Sweep(
            model=model,
            symbol=self.symbol,
            window=self.window,
            settings=self.settings(),
            costs=Costs(**self.model_dump(include=set(Costs.model_fields))),
            starting_cash=self.starting_cash,
        )
