"""What a backtest is asked and what it answers: setting, costs, figures. Defined by simulation_service/domain."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from shared.contracts.message import Message

#: predictions that must lie before one for its z-score to be known
Z_LEAST = 20


class Fill(StrEnum):
    OPEN = "open"
    MIDPOINT = "midpoint"  # (high + low) / 2 of the fill bar
    CLOSE = "close"


class Signal(StrEnum):
    """What a model's prediction is, and so what `Setting.threshold` is compared with and in which unit."""

    LOG_RETURN = "log_return"  # long while prediction > threshold, short while < -threshold; both log returns
    PERCENT = "percent"  # the same, both in percent
    PRICE = "price"  # a price to come: prediction - close of the signal bar against +-threshold, in currency
    PROBABILITY = "probability"  # of a rise: long while > threshold, short while < 1 - threshold
    POSITION = "position"  # the wanted position itself: long while > 0, short while < 0; threshold 0


class Costs(Message):
    """What a fill costs, how much of a bar's volume it may take, and what a short position pays a night."""

    fee_per_fill: float = Field(default=0.02, ge=0)  # currency a fill, so twice that a round trip
    fee_per_share: float = Field(default=0.0, ge=0)
    fee_bps: float = Field(default=0.0, ge=0)  # basis points of the fill's value
    fee_minimum: float = Field(default=0.0, ge=0)  # least that fee_per_share and fee_bps come to together, a fill
    half_spread_bps: float = Field(default=0.5, ge=0)  # paid on every fill, in basis points of the price
    slippage_bps: float = Field(default=0.0, ge=0)  # basis points of the price, on every fill
    slippage_atr: float = Field(default=0.0, ge=0)  # part of the average true range of the 14 bars before the fill
    #: price moves by volume_impact x (shares / volume of the fill bar)^2 against the fill; needs volume
    volume_impact: float = Field(default=0.0, ge=0)
    #: an entry takes at most this part of the fill bar's volume; needs volume. Exits are never held back
    participation: float | None = Field(default=None, gt=0, le=1)
    borrow_rate: float = Field(default=0.0, ge=0)  # a year, on a short's value, each calendar night / 360

    @model_validator(mode="after")
    def _below_the_price(self) -> Self:
        taken = self.half_spread_bps + self.slippage_bps + self.fee_bps
        if not taken < 10_000:
            raise ValueError(f"{taken:g} basis points are the whole price of a fill or more: use less than 10000")
        return self


class Setting(Message):
    """One cell of a sweep's grid: when to be in the market, and how orders fill.

    Bars are bars that exist; a signal, filter or gate is read at the close of the signal bar, `delay_bars` before the
    bar of the fill. simulation_service/domain/step.py has the order of events inside a bar.
    """

    # signal
    threshold: float = Field(ge=0)  # in the unit that `signal` says
    signal: Signal = Signal.LOG_RETURN
    side: Literal["long_flat", "long_short", "short_flat"] = "long_flat"
    volatility_scaled: bool = False  # threshold x (rolling volatility / its mean so far): higher in wild times
    volatility_bars: int = Field(default=390, ge=10, le=100_000)  # of that rolling volatility
    # filters; what they refuse is no signal, as a missing prediction is none
    z_limit: float | None = Field(default=None, gt=0)  # refuse predictions with |z| above it, 3 as a rule
    z_bars: int = Field(default=0, ge=0, le=1_000_000)  # z against so many predictions before it; 0: all before it
    regime: str | None = Field(default=None, min_length=1, max_length=200)  # column of states
    regime_states: tuple[int, ...] = ()  # those allowed; any other, or an unknown one, also forces out
    # gates of entries alone
    bot_threshold: float | None = Field(default=None, ge=0, lt=1)  # enter when the meta-model's probability > it
    skip_first_minutes: int = Field(default=0, ge=0, le=389)  # no entry is filled in the session's first m minutes
    skip_last_minutes: int = Field(default=0, ge=0, le=389)  # nor in its last m
    cooldown_bars: int = Field(default=0, ge=0)  # bars after an exit on which nothing is entered
    # exits
    hold_bars: int = Field(default=0, ge=0)  # leave after so many bars; 0: while the signal lasts
    min_hold_bars: int = Field(default=0, ge=0)  # the signal's end is not heeded earlier
    time_stop_bars: int = Field(default=0, ge=0)  # leave after so many bars though the signal lasts; 0: never
    stop_loss: float | None = Field(default=None, gt=0, lt=1)  # fraction of the entry price
    take_profit: float | None = Field(default=None, gt=0)  # fraction of the entry price; below 1 for shorts
    flat_at_close: bool = True
    # execution
    delay_bars: int = Field(default=1, ge=0, le=60)  # fill bar - signal bar; 0 fills at the signal bar's own close
    fill: Fill = Fill.OPEN
    sizing: Literal["all_in", "fraction", "shares"] = "all_in"  # always whole shares, of what the account holds
    size: float = Field(default=1.0, gt=0)  # fraction: of the account, up to 1; shares: how many

    @property
    def optimistic(self) -> bool:
        """Whether it fills at a price that was already gone when it was seen: to be labelled wherever it is shown."""
        return self.delay_bars == 0

    @model_validator(mode="after")
    def _signal_fits(self) -> Self:
        if self.signal is Signal.PROBABILITY and not 0.5 <= self.threshold < 1:
            raise ValueError(f"threshold {self.threshold} of a probability: use 0.5 up to, not including, 1")
        if self.signal is Signal.POSITION and self.threshold != 0:
            raise ValueError(f"threshold {self.threshold} of given positions: they have none, use 0")
        if self.volatility_scaled and self.signal in {Signal.PROBABILITY, Signal.POSITION}:
            raise ValueError(f"volatility_scaled has no meaning for a {self.signal}: switch it off")
        return self

    @model_validator(mode="after")
    def _filters_fit(self) -> Self:
        if 0 < self.z_bars < Z_LEAST:
            raise ValueError(f"z_bars {self.z_bars}: use 0 for all earlier predictions, or at least {Z_LEAST}")
        if (self.regime is None) != (not self.regime_states):
            raise ValueError("regime and regime_states go together: name the column and the states it allows")
        if any(not 0 <= state <= 127 for state in self.regime_states):
            raise ValueError(f"regime_states {self.regime_states}: states are 0 to 127")
        return self

    @model_validator(mode="after")
    def _exits_fit(self) -> Self:
        if self.hold_bars and (self.min_hold_bars or self.time_stop_bars):
            raise ValueError(
                f"hold_bars {self.hold_bars} alone decides when to leave: leave min_hold_bars and time_stop_bars at 0"
            )
        if self.time_stop_bars and self.min_hold_bars > self.time_stop_bars:
            raise ValueError(f"min_hold_bars {self.min_hold_bars} is longer than time_stop_bars {self.time_stop_bars}")
        if self.take_profit is not None and self.take_profit >= 1 and self.side != "long_flat":
            raise ValueError(f"take_profit {self.take_profit}: a short earns less than 1, so it would never be reached")
        return self

    @model_validator(mode="after")
    def _execution_fits(self) -> Self:
        if self.delay_bars == 0 and self.fill is not Fill.CLOSE:
            raise ValueError(f"delay_bars 0 fills at the signal bar's close: {self.fill} was over by then, use close")
        if self.sizing == "all_in" and self.size != 1.0:
            raise ValueError(f"size {self.size} with all_in: leave it at 1, or choose fraction or shares")
        if self.sizing == "fraction" and self.size > 1:
            raise ValueError(f"size {self.size} is more than the whole account: use up to 1")
        if self.sizing == "shares" and not self.size.is_integer():
            raise ValueError(f"size {self.size}: shares are whole")
        return self


class Metrics(Message):
    """What one simulated setting earned; each defined in simulation_service/domain/metrics.py.

    None where it is undefined (no trades, no variance, no losses), never 0 in its stead. Those with a default came
    later: None in what older code stored.
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
    annual_return: float | None = None  # total return at the pace of 252 sessions
    excess_return: float | None = None  # total return - buy and hold
    sortino: float | None = None  # annualised, daily, target 0
    calmar: float | None = None  # annual return / size of the maximal drawdown
    drawdown_days: int | None = None  # sessions of the longest stay below an earlier session-end high
    expectancy: float | None = None  # mean trade return, a fraction of what was put in
    average_trade: float | None = None  # mean profit of a trade after costs, in currency
    turnover: float | None = None  # value of all fills / starting cash
    cost_drag: float | None = None  # costs paid / starting cash
    longest_losing_run: int | None = None  # trades without profit in a row
