"""What the pages' forms send."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from shared.contracts.messages import Costs, Day, Fill, Fingerprint, Setting, Sweep, Symbol, Window, midnight
from shared.web.forms import Listed

Threshold = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class SimulateForm(BaseModel):
    """What the page's form sends. Days begin at 00:00 UTC; the last one is not included."""

    model: Fingerprint
    symbol: Symbol
    start: Day
    end: Day
    thresholds: Annotated[tuple[Threshold, ...], Listed] = (0.0001, 0.0005, 0.001, 0.002)
    hold_bars: Annotated[tuple[Count, ...], Listed] = (0, 15)
    side: Literal["long_flat", "long_short"] = "long_flat"
    delay_bars: int = Field(default=1, ge=1, le=60)
    fill: Fill = Fill.OPEN
    fee_per_fill: float = Field(default=0.02, ge=0, allow_inf_nan=False)
    half_spread_bps: float = Field(default=0.5, ge=0, allow_inf_nan=False)
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
        return self

    def sweep(self) -> Sweep:
        settings = tuple(
            Setting(threshold=threshold, side=self.side, hold_bars=hold, delay_bars=self.delay_bars, fill=self.fill)
            for hold in self.hold_bars
            for threshold in self.thresholds
        )
        window = Window(start=midnight(self.start), end=midnight(self.end))
        costs = Costs(fee_per_fill=self.fee_per_fill, half_spread_bps=self.half_spread_bps)
        return Sweep(
            model=self.model,
            symbol=self.symbol,
            window=window,
            settings=settings,
            costs=costs,
            starting_cash=self.starting_cash,
        )
