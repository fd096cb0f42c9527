"""Payloads and results of the jobs that one service submits and another runs.

All are frozen, refuse unknown fields, and are validated twice: at the edge that accepts them and in the worker.
Windows are half-open [start, end) in UTC. Money is in the symbol's currency, costs in the unit their name says.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.contracts.identifiers import check_symbol
from shared.errors import InvalidInput


def _symbol(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return check_symbol(value)
    except InvalidInput as error:
        raise ValueError(str(error)) from error


_When = TypeVar("_When", bound=date)


def _plausible(value: _When) -> _When:
    if not 1900 <= value.year < 2200:
        raise ValueError(f"{value.isoformat()} is not a time of markets: use the years 1900 to 2199")
    return value


#: a moment with its time zone, and a day; the bound keeps typing errors and overflowing calendars out
Instant = Annotated[AwareDatetime, AfterValidator(_plausible)]
Day = Annotated[date, AfterValidator(_plausible)]
Symbol = Annotated[str, BeforeValidator(_symbol)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def midnight(day: date) -> datetime:
    """Return the first instant of `day` in UTC: where a window that people give in days begins or ends."""
    return datetime.combine(day, time(), UTC)


class Message(BaseModel):
    """Base of everything that crosses a service's border through the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Window(Message):
    """A half-open span of time [start, end) in UTC."""

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"window starts at {self.start} but ends at {self.end}: start must come first")
        return self

    @property
    def start_utc(self) -> datetime:
        return self.start.astimezone(UTC)

    @property
    def end_utc(self) -> datetime:
        return self.end.astimezone(UTC)


# features ----------------------------------------------------------------------------------------------------------


class BuildFeatures(Message):
    """Compute `feature_set` for one symbol over `window`; blocks that exist already are reused."""

    symbol: Symbol
    window: Window
    feature_set: str = "core"


# training ----------------------------------------------------------------------------------------------------------


class Estimator(StrEnum):
    ELASTICNET = "elasticnet"
    XGBOOST = "xgboost"


class Target(Message):
    """What a model predicts: the log return from the close of bar t to the close of bar t + horizon_bars.

    Within one session: bars whose horizon crosses the close have no label.
    """

    kind: Literal["log_return"] = "log_return"
    horizon_bars: int = Field(default=15, ge=1, le=389)


class Folds(Message):
    """Walk-forward folds in sessions.

    Labels that reach into the test block are purged; `embargo_bars` more are dropped between train and test.
    """

    train_days: int = Field(default=120, ge=5)
    test_days: int = Field(default=30, ge=1)
    embargo_bars: int = Field(default=30, ge=0)
    anchored: bool = False


class Train(Message):
    """Fit one model on `train` only, then predict `predict`, which must start at or after the end of `train`."""

    symbol: Symbol
    feature_set: str = "core"
    #: columns used, in sorted order; empty means every feature of the set
    features: tuple[str, ...] = ()
    estimator: Estimator
    params: dict[str, float | int | str | bool] = Field(default_factory=dict)
    target: Target = Target()
    folds: Folds = Folds()
    train: Window
    predict: Window | None = None
    seed: int = Field(default=7, ge=0, lt=2**31)
    #: fingerprint of the model whose pruning made this one
    parent: Fingerprint | None = None

    @model_validator(mode="after")
    def _no_overlap(self) -> Self:
        if self.predict is not None and self.predict.start < self.train.end:
            raise ValueError(
                f"predict starts at {self.predict.start}, inside the training window that ends at {self.train.end}"
            )
        return self


class Predict(Message):
    """Predict with a frozen model over another window or symbol; never inside its own training window."""

    model: Fingerprint
    symbol: Symbol
    window: Window


# simulation --------------------------------------------------------------------------------------------------------


class Fill(StrEnum):
    OPEN = "open"
    MIDPOINT = "midpoint"  # (high + low) / 2 of the fill bar
    CLOSE = "close"


class Costs(Message):
    """What a fill costs."""

    fee_per_fill: float = Field(default=0.02, ge=0)  # currency a fill, so twice that a round trip
    fee_per_share: float = Field(default=0.0, ge=0)
    half_spread_bps: float = Field(default=0.5, ge=0)  # paid on every fill, in basis points of the price


class Setting(Message):
    """One cell of a sweep's grid: when to be in the market, and how orders fill."""

    threshold: float = Field(ge=0)  # in the target's own unit; long while prediction > threshold
    side: Literal["long_flat", "long_short"] = "long_flat"
    hold_bars: int = Field(default=0, ge=0)  # leave after so many bars; 0: while the signal lasts
    delay_bars: int = Field(default=1, ge=1, le=60)  # fill bar - signal bar; never the signal bar itself
    fill: Fill = Fill.OPEN
    flat_at_close: bool = True


class Sweep(Message):
    """Simulate a model's stored predictions for `symbol` over `window` under each of `settings`."""

    model: Fingerprint
    symbol: Symbol
    window: Window
    settings: tuple[Setting, ...] = Field(min_length=1, max_length=1_000)
    costs: Costs = Costs()
    starting_cash: float = Field(default=100_000.0, gt=0)
    #: sweep whose time-of-day exposures are the frozen benchmark of timing alpha; None: this sweep's own
    baseline_sweep: Fingerprint | None = None
    #: with `baseline_sweep`: the index in that sweep of each setting here
    baseline_settings: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _baseline_pairs(self) -> Self:
        if self.baseline_sweep is not None and len(self.baseline_settings) != len(self.settings):
            raise ValueError(
                f"{len(self.settings)} settings but {len(self.baseline_settings)} baseline_settings: give one each"
            )
        return self


class Metrics(Message):
    """What one simulated setting earned; each defined in simulation_service/domain/metrics.py.

    None where it is undefined (no trades, no variance, no losses), never 0 in its stead.
    """

    total_return: float
    buy_hold_return: float
    sharpe: float | None  # annualised, daily, flat days included
    max_drawdown: float  # <= 0, fraction of the running peak
    sqn: float | None  # sqrt(N) mean / sd of trade returns
    sqn100: float | None  # the same with N capped at 100
    profit_factor: float | None
    trades: int
    win_rate: float | None
    hit_rate: float | None  # share of bars in the market whose next bar went the position's way
    exposure: float  # share of bars in the market
    costs_paid: float
    final_equity: float
    timing_alpha_t: float | None  # t-statistic of the daily timing alpha
