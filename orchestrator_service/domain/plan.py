"""What a run is told to do. Frozen, complete, and part of the run's fingerprint."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.contracts.messages import Costs, Estimator, Fill, Instant, Message

#: Bumped by hand whenever the numbers of a run or verdict change.
CODE_VERSION = "3"

Parameters = dict[str, float | int | str | bool]

#: Shortest search that can be cut into training, selection and confirmation at all, in sessions.
MIN_SESSIONS = 24


class Grid(Message):
    """The settings every model is tried with: each quantile x each holding time is one trial.

    Thresholds are not fixed numbers: a prediction's scale differs by horizon and estimator. They are quantiles of the
    absolute out-of-fold predictions inside TRAIN, so they are known before SELECT is touched.
    """

    quantiles: tuple[float, ...] = (0.5, 0.75, 0.9, 0.97)
    hold_bars: tuple[int, ...] = (0, 15, 30)
    side: Literal["long_flat", "long_short"] = "long_flat"
    delay_bars: int = Field(default=1, ge=1, le=60)
    fill: Fill = Fill.OPEN

    @model_validator(mode="after")
    def _sane(self) -> Self:
        if not self.quantiles or not all(0 <= q < 1 for q in self.quantiles):
            raise ValueError(f"quantiles {self.quantiles}: give one or more numbers in [0, 1)")
        if not self.hold_bars or not all(0 <= bars <= 389 for bars in self.hold_bars):
            raise ValueError(f"hold_bars {self.hold_bars}: give one or more whole numbers from 0 to 389")
        return self


#: rules that are looser when they are larger, and when they are smaller
_NOT_ABOVE = ("gate_level", "alpha", "max_correlation")
_NOT_BELOW = ("draws", "final_draws", "min_trades", "min_confirm_sessions")


class Rules(Message):
    """Statistics of promotion. Defaults are those whose error rates were measured."""

    #: a run is nominated when its best trial's familywise p over the whole ledger is at most this
    gate_level: float = Field(default=0.20, gt=0, lt=1)
    draws: int = Field(default=1_000, ge=100, le=20_000)
    final_draws: int = Field(default=2_000, ge=100, le=100_000)
    block_days: float = Field(default=2.0, ge=1)
    blend: int = Field(default=10, ge=1, le=50)
    max_correlation: float = Field(default=0.7, gt=0, le=1)
    #: familywise error of one vintage of sealed data, spent in `looks` equal parts
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    looks: int = Field(default=10, ge=1, le=100)
    min_trades: int = Field(default=200, ge=1)
    min_confirm_sessions: int = Field(default=125, ge=20)

    @property
    def level(self) -> float:
        """Level of one look."""
        return self.alpha / self.looks

    def loosened(self) -> tuple[str, ...]:
        """Return which rules promise less than those whose error rates were measured, each in words.

        Stricter ones are not named, nor another number of looks: they share one error whatever their number.
        """
        usual = Rules()
        pairs = [(name, getattr(self, name), getattr(usual, name)) for name in (*_NOT_ABOVE, *_NOT_BELOW)]
        return tuple(
            f"{name} {own:g} instead of {measured:g}"
            for name, own, measured in pairs
            if (own > measured if name in _NOT_ABOVE else own < measured)
        )


class SearchPlan(Message):
    """Everything that decides a search but the symbol."""

    feature_set: str = Field(default="core", pattern=r"^[a-z0-9_\-]{1,40}$")
    start: Instant | None = None  # None: from the first features there are
    end: Instant | None = None
    estimators: tuple[Estimator, ...] = (Estimator.ELASTICNET, Estimator.XGBOOST)
    horizons: tuple[int, ...] = (5, 15, 30)
    params: dict[Estimator, Parameters] = Field(default_factory=dict[Estimator, Parameters])
    generations: int = Field(default=3, ge=1, le=50)
    #: best models of a generation, by SELECT SQN100, whose pruned children make the next
    survivors: int = Field(default=3, ge=1, le=50)
    min_features: int = Field(default=3, ge=1)
    #: generations without a new best before the search stops
    patience: int = Field(default=2, ge=1)
    grid: Grid = Grid()
    costs: Costs = Costs()
    select_sessions: int = Field(default=250, ge=5)
    confirm_sessions: int = Field(default=250, ge=5)
    rules: Rules = Rules()
    seed: int = Field(default=7, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _sane(self) -> Self:
        if not self.estimators or len(set(self.estimators)) != len(self.estimators):
            raise ValueError("estimators: name each at most once, and at least one")
        if not self.horizons or len(set(self.horizons)) != len(self.horizons):
            raise ValueError("horizons: name each at most once, and at least one")
        if not all(1 <= horizon <= 389 for horizon in self.horizons):
            raise ValueError(f"horizons {self.horizons}: each is a number of bars from 1 to 389")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"start {self.start} must come before end {self.end}")
        return self
