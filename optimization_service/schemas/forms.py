"""The new-batch form of the page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, model_validator

from optimization_service.domain.batch import THRESHOLDS
from optimization_service.domain.search import Method
from optimization_service.schemas.batches import BatchRequest
from shared.contracts.messages import Costs, Day, Fingerprint, Symbol
from shared.web.forms import Listed

Switch = Literal["off", "on", "both"]
Threshold = Annotated[float, Field(ge=0, allow_inf_nan=False)]
HoldBars = Annotated[int, Field(ge=0, le=100_000)]


def _axes(text: object) -> object:
    """Read `stop_loss = null 0.01; delay_bars = 1 2 3`: a name and its values a line or semicolon."""
    if not isinstance(text, str):
        return text
    axes: dict[str, list[JsonValue]] = {}
    for line in text.replace(";", "\n").splitlines():
        if not line.strip():
            continue
        name, equals, values = line.partition("=")
        if not equals or not values.split():
            raise ValueError(f"{line.strip()!r}: write name = value value, as in stop_loss = null 0.01")
        axes[name.strip()] = [_value(word) for word in values.replace(",", " ").split()]
    return axes


def _value(word: str) -> JsonValue:
    try:
        return json.loads(word)
    except ValueError:
        return word


class BatchForm(BaseModel):
    """What the page's form sends. Days begin at 00:00 UTC; the last one is not included."""

    models: Annotated[tuple[Fingerprint, ...], Listed] = ()
    top: int = Field(default=0, ge=0, le=1_000)
    symbols: Annotated[tuple[Symbol, ...], Listed] = ()
    end: Day | None = None
    thresholds: Annotated[tuple[Threshold, ...], Listed] = THRESHOLDS
    hold_bars: Annotated[tuple[HoldBars, ...], Listed] = (0,)
    side: Literal["long_flat", "long_short", "both"] = "long_flat"
    z_filter: Switch = "both"
    volatility: Switch = "both"
    more: Annotated[dict[str, tuple[JsonValue, ...]], BeforeValidator(_axes)] = {}
    method: Method = Method.EXHAUSTIVE
    trials: int = Field(default=500, ge=1, le=100_000)
    seed: int = Field(default=7, ge=0, lt=2**31)
    fee_per_fill: float = Field(default=0.02, ge=0, allow_inf_nan=False)
    half_spread_bps: float = Field(default=0.5, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        if bool(self.models) == (self.top > 0):
            raise ValueError("name models, or say how many of the top ones: one of the two")
        return self

    def request(self) -> BatchRequest:
        switch: dict[Switch, tuple[bool, ...]] = {"off": (False,), "on": (True,), "both": (False, True)}
        axes: dict[str, tuple[JsonValue, ...]] = {
            "threshold": self.thresholds,
            "side": ("long_flat", "long_short") if self.side == "both" else (self.side,),
            "hold_bars": self.hold_bars,
            "z_limit": tuple(3.0 if on else None for on in switch[self.z_filter]),
            "volatility_scaled": switch[self.volatility],
        }
        return BatchRequest(
            models=self.models,
            top=self.top,
            symbols=self.symbols,
            end=None if self.end is None else datetime.combine(self.end, time(), UTC),
            axes={**axes, **self.more},
            method=self.method,
            trials=self.trials,
            seed=self.seed,
            costs=Costs(fee_per_fill=self.fee_per_fill, half_spread_bps=self.half_spread_bps),
        )
