"""Payloads and results of the jobs that one service submits and another runs.

All are frozen, refuse unknown fields, and are validated twice: at the edge that accepts them and in the worker.
Windows are half-open [start, end) in UTC. Money is in the symbol's currency, costs in the unit their name says.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from shared.contracts.backtests import Costs, Setting
from shared.contracts.backtests import Fill as Fill  # noqa: PLC0414 - offered on
from shared.contracts.backtests import Metrics as Metrics  # noqa: PLC0414 - offered on
from shared.contracts.backtests import Signal as Signal  # noqa: PLC0414 - offered on
from shared.contracts.identifiers import check_symbol
from shared.contracts.message import Message
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


def _midnight(value: object) -> object:
    text = str(value).strip() if isinstance(value, str | int) else ""
    if text.isdecimal() and len(text) > len("20240102"):
        return value  # seconds since 1970, which charts ask with; fewer digits would be a day before any bar of ours
    if not text.isdecimal() and len(text) != len("2024-01-02"):
        return value
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        if not text.isdecimal():
            return value
    raise ValueError(f"{text} is not a time: write a day as 2024-05-01, a moment as 2024-05-01T14:30:00Z")


#: a moment with its time zone, and a day; the bound keeps typing errors and overflowing calendars out
Instant = Annotated[AwareDatetime, AfterValidator(_plausible)]
#: a moment as people ask for one: a bare day is its midnight in UTC
Moment = Annotated[Instant, BeforeValidator(_midnight)]
Day = Annotated[date, AfterValidator(_plausible)]
Symbol = Annotated[str, BeforeValidator(_symbol)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def midnight(day: date) -> datetime:
    """Return the first instant of `day` in UTC: where a window that people give in days begins or ends."""
    return datetime.combine(day, time(), UTC)


class Window(Message):
    """A half-open span of time [start, end) in UTC; a bare day is its midnight."""

    start: Moment
    end: Moment

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


#: what every model's predictions are, so what a setting has to read them as
PREDICTED = Signal(Target().kind)


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


class Sweep(Message):
    """Simulate a model's stored predictions for `symbol` over `window` under each of `settings`."""

    model: Fingerprint
    symbol: Symbol
    window: Window
    settings: tuple[Setting, ...] = Field(min_length=1, max_length=1_000)
    costs: Costs = Costs()
    starting_cash: float = Field(default=100_000.0, gt=0)
    #: bars until a prediction's outcome, for the bot of settings with a `bot_threshold`: the model's own horizon
    bot_horizon_bars: int = Field(default=15, ge=1, le=389)
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
