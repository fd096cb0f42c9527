"""A market and a grid of settings as the arrays that the walks read: made once, shared by all settings and threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from shared.contracts.backtests import Costs, Fill, Setting, Signal
from shared.errors import InvalidInput
from simulation_service.domain import columns as c
from simulation_service.domain.market import Bools, Floats, Ints, Market
from simulation_service.domain.series import scores, true_range_before, volatility_ratio, z_scores

Words = npt.NDArray[np.uint64]
Row = TypeVar("Row", bound=np.generic)

#: longer than any history; what is added to a bar's number must not overflow, or the walks leave their arrays
_LONGEST = 1_000_000_000
_FILL = {Fill.OPEN: 0, Fill.MIDPOINT: 1, Fill.CLOSE: 2}
_SIZING = {"all_in": c.ALL_IN, "fraction": c.FRACTION, "shares": c.FIXED}


class Plan:
    """What the walks are called with.

    bars, days, lookups, signals, liquidity : tuples of arrays, as `step.walk` and `jump.walk` name them
    choices, numbers : (settings, CHOICES) int64 and (settings, NUMBERS) float64
    costs : (COST_TERMS,) float64
    order : (settings,) int64; settings whose masks are equal stand together

    Raises InvalidInput when a setting or the costs read a series that the market does not carry, or a setting asks
    for what bars without minutes cannot give.
    """

    def __init__(self, market: Market, settings: Sequence[Setting], costs: Costs) -> None:
        _check(market, settings, costs)
        self._market = market
        closing = market.closing
        window_closing = int(closing.max(initial=-1))
        nights = np.diff(market.session, prepend=market.session[:1]).astype(np.float64)
        midpoint = 0.5 * (market.high + market.low)
        prices = np.stack([market.open, midpoint, market.close, market.high, market.low])
        self.bars = (prices, market.minute, market.fillable, window_closing)
        self.days = (market.starts, closing, market.last_minute, nights)
        self.lookups = _lookups(market)
        self.costs = _cost_terms(costs)
        self.liquidity = (
            true_range_before(market) if costs.slippage_atr > 0 else np.empty(0),
            np.empty(0) if market.volume is None else market.volume,
        )
        self.signals, self.choices, self.numbers = self._settings(settings)
        keys = [*self.numbers[:, : c.BOT_ABOVE + 1].T, *self.choices[:, : c.DELAY + 1].T]
        self.order = np.lexsort(keys).astype(np.int64)

    def _settings(self, settings: Sequence[Setting]) -> tuple[tuple[Any, ...], Ints, Floats]:
        """Return (signals, choices, numbers); a series that several settings read is made once."""
        market, words = self._market, (self._market.bars >> 6) + 1
        scored = _Rows(lambda key: _score(market, *key), (market.bars,), np.float64)
        unusual = _Rows(lambda key: np.abs(z_scores(scores(market, key[0]), key[1])), (market.bars,), np.float64)
        allowed = _Rows(lambda key: packed(np.isin(market.regimes[key[0]], key[1])), (words,), np.uint64)
        timing = _Rows(self._timing, (2, words), np.uint64)
        choices: list[list[int]] = []
        numbers: list[tuple[float, ...]] = []
        for setting in settings:
            chosen = [0] * c.CHOICES
            chosen[c.SCORE] = scored.row((setting.signal, setting.volatility_bars if setting.volatility_scaled else 0))
            chosen[c.LONG], chosen[c.SHORT] = setting.side != "short_flat", setting.side != "long_flat"
            chosen[c.Z] = -1 if setting.z_limit is None else unusual.row((setting.signal, setting.z_bars))
            states = tuple(sorted(set(setting.regime_states)))
            chosen[c.REGIME] = -1 if setting.regime is None else allowed.row((setting.regime, states))
            chosen[c.BOT] = -1 if setting.bot_threshold is None else 0
            gates = (setting.delay_bars, setting.flat_at_close, setting.skip_first_minutes, setting.skip_last_minutes)
            chosen[c.TIMING] = timing.row(gates)
            chosen[c.DELAY], chosen[c.FILL] = setting.delay_bars, _FILL[setting.fill]
            chosen[c.FLAT], chosen[c.COOLDOWN] = setting.flat_at_close, min(setting.cooldown_bars, _LONGEST)
            # holding for so long is leaving neither earlier nor later
            chosen[c.MIN_HOLD] = min(setting.hold_bars or setting.min_hold_bars, _LONGEST)
            chosen[c.MAX_HOLD] = min(setting.hold_bars or setting.time_stop_bars, _LONGEST)
            chosen[c.SIZING] = _SIZING[setting.sizing]
            choices.append(chosen)
            below = 1.0 - setting.threshold if setting.signal is Signal.PROBABILITY else -setting.threshold
            limit = 0.0 if setting.z_limit is None else math.nextafter(setting.z_limit, math.inf)
            numbers.append(
                (
                    setting.threshold, below, limit, setting.bot_threshold or 0.0,
                    setting.stop_loss or 0.0, setting.take_profit or 0.0, setting.size,
                )
            )  # fmt: skip
        bot = np.empty(0) if market.bot_probability is None else market.bot_probability
        gates = timing.stacked()
        signals = (
            scored.stacked(), unusual.stacked(), bot, allowed.stacked(),
            np.ascontiguousarray(gates[:, 0]), np.ascontiguousarray(gates[:, 1]),
        )  # fmt: skip
        return signals, np.array(choices, dtype=np.int64), np.array(numbers, dtype=np.float64)

    def space(self) -> tuple[Words, Words]:
        """Return room for one thread's masks and their making; compiled code allocates nothing."""
        words = (self._market.bars >> 6) + 1
        return np.empty((c.MASKS, words), dtype=np.uint64), np.empty((2, words), dtype=np.uint64)

    def _timing(self, key: tuple[int, bool, int, int]) -> Words:
        """Return the bits of the bars on which orders may leave, and enter; (2, words)."""
        from simulation_service.domain import masks

        market, (_, minute, fillable, window_closing) = self._market, self.bars
        out = np.zeros((2, (market.bars >> 6) + 1), dtype=np.uint64)
        masks.timing(self.days[:3], minute, fillable, window_closing, market.day_orders, *key, out[0], out[1])
        return out


def packed(flags: Bools) -> Words:
    """Return flags of shape (bars,) as bits, bar t being bit t % 64 of word t // 64, one to spare."""
    padded = np.zeros(((len(flags) >> 6) + 1) << 6, dtype=np.bool_)
    padded[: len(flags)] = flags
    return np.packbits(padded, bitorder="little").view("<u8").astype(np.uint64)


class _Rows:
    """Arrays made once for each key that is asked for, then stacked."""

    def __init__(self, make: Callable[[Any], npt.NDArray[Any]], shape: tuple[int, ...], dtype: type[Any]) -> None:
        self._make, self._shape, self._dtype = make, shape, dtype
        self._places: dict[Hashable, int] = {}
        self._made: list[npt.NDArray[Any]] = []

    def row(self, key: Hashable) -> int:
        if key not in self._places:
            self._places[key] = len(self._made)
            self._made.append(self._make(key))
        return self._places[key]

    def stacked(self) -> npt.NDArray[Any]:
        return np.stack(self._made) if self._made else np.empty((0, *self._shape), dtype=self._dtype)


def _score(market: Market, signal: Signal, scaled: int) -> Floats:
    """Return what the threshold is compared with; scaled by volatility the score is divided instead of it."""
    found = scores(market, signal)
    if not scaled:
        return found
    with np.errstate(divide="ignore", invalid="ignore"):
        return found / volatility_ratio(market, scaled)


def _lookups(market: Market) -> tuple[npt.NDArray[np.int32], Words]:
    """Return what `jump.walk` looks up of a bar, side by side in 16 bytes, and the bits of the bars that traded."""
    change = np.diff(market.close, prepend=market.close[:1])
    change[market.starts[:-1]] = 0.0
    marks = np.empty((market.bars, c.MARKS), dtype=np.int32)
    marks[:, c.DAY] = np.repeat(np.arange(market.sessions), np.diff(market.starts))
    marks[:, c.MINUTE] = market.minute
    marks[:, c.MOVED], marks[:, c.RISEN] = np.cumsum(change != 0), np.cumsum(change > 0)
    traded = packed(market.fillable)
    # the bit after the last bar ends a search
    traded[market.bars >> 6] |= np.uint64(1) << np.uint64(market.bars & 63)
    return marks, traded[None, :]


def _cost_terms(costs: Costs) -> Floats:
    terms = np.zeros(c.COST_TERMS)
    terms[c.PER_FILL], terms[c.PER_SHARE] = costs.fee_per_fill, costs.fee_per_share
    terms[c.RATE] = (costs.fee_bps + costs.half_spread_bps + costs.slippage_bps) * 1e-4
    terms[c.EXTRA] = costs.fee_minimum > 0 or costs.slippage_atr > 0 or costs.volume_impact > 0
    terms[c.FEE_RATE], terms[c.FEE_MINIMUM] = costs.fee_bps * 1e-4, costs.fee_minimum
    terms[c.SLIPPAGE_ATR], terms[c.IMPACT] = costs.slippage_atr, costs.volume_impact
    terms[c.PARTICIPATION], terms[c.BORROW] = costs.participation or 0.0, costs.borrow_rate
    return terms


def _check(market: Market, settings: Sequence[Setting], costs: Costs) -> None:
    if market.volume is None and (costs.participation is not None or costs.volume_impact > 0):
        raise InvalidInput(
            f"participation {costs.participation} and volume_impact {costs.volume_impact} need the bars' volume: "
            "hand it in with the market, or leave them out of the costs"
        )
    daily = not market.day_orders and not market.last_minute.any()
    for index, setting in enumerate(settings):
        if setting.regime is not None and setting.regime not in market.regimes:
            raise InvalidInput(
                f"setting {index} is gated by regime {setting.regime!r}, which the market does not carry: "
                f"it has {sorted(market.regimes) or 'none'}"
            )
        if setting.bot_threshold is not None and market.bot_probability is None:
            raise InvalidInput(f"setting {index} asks the bot, and the market carries no probabilities of one")
        if daily and (setting.flat_at_close or setting.skip_first_minutes or setting.skip_last_minutes):
            raise InvalidInput(
                f"setting {index} has flat_at_close {setting.flat_at_close}, skip_first_minutes "
                f"{setting.skip_first_minutes}, skip_last_minutes {setting.skip_last_minutes}: daily bars know no "
                "minutes, switch all three off"
            )
