"""Markets, settings and costs drawn at random, for the engine and for its plain reference alike."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from shared.contracts.backtests import Costs, Fill, Setting, Signal
from shared.contracts.sessions import MINUTE_US, Sessions
from simulation_service.domain.market import daily_market_of, market_of

MINUTES = 12  # of a drawn session: short, so that the open and the close meet everything in between
NAN = math.nan
#: what a model of each kind may say; of prices how far from the close, so equal signals and ties happen
SAYS = {
    Signal.LOG_RETURN: [NAN, -0.002, -0.001, -0.0005, 0.0, 0.0005, 0.001, 0.002],
    Signal.PERCENT: [NAN, -0.002, -0.001, -0.0005, 0.0, 0.0005, 0.001, 0.002],
    Signal.PRICE: [NAN, -0.4, -0.3, -0.1, 0.1, 0.2, 0.3, 0.4],
    Signal.PROBABILITY: [NAN, 0.1, 0.4, 0.5, 0.55, 0.6, 0.9],
    Signal.POSITION: [NAN, -1.0, 0.0, 0.0, 1.0, 1.0],
}
THRESHOLDS = {
    Signal.LOG_RETURN: [0.0, 0.0005, 0.001],
    Signal.PERCENT: [0.0, 0.0005, 0.001],
    Signal.PRICE: [0.0, 0.1, 0.33],
    Signal.PROBABILITY: [0.5, 0.55, 0.7],
    Signal.POSITION: [0.0],
}


def _bars(rng, signal, minutes, *, wild=False):
    """Return bars on five-cent ticks around 20, whose predictions often stay what they were; wild: from 10 to 80."""
    bars, said, stays = [], NAN, rng.choice([0.0, 0.5, 0.8])
    for minute in minutes:
        tick = 20.0 / 2.0 ** float(rng.integers(-1, 3)) if wild and rng.random() < 0.2 else 20.0
        first, last, up, down = rng.integers((380, 380, 0, 0), (421, 421, 4, 4)).tolist()
        said = said if rng.random() < stays else float(rng.choice(SAYS[signal]))
        bars.append(
            {
                "minute": minute,
                "open": first / tick,
                "high": (max(first, last) + up) / tick,
                "low": (min(first, last) - down) / tick,
                "close": last / tick,
                "prediction": last / tick + said if signal is Signal.PRICE else said,
                "real": bool(rng.random() < 0.9),
                "volume": float(rng.choice([NAN, 0.0, 40.0, 1e3, 1e5, 1e6])),
                "regime": int(rng.choice([-1, 0, 0, 1, 1, 2])),
                "bot": float(rng.choice([NAN, 0.4, 0.55, 0.6, 0.9, 0.9])),
            }
        )
    return bars


@st.composite
def markets(draw, signal=Signal.LOG_RETURN, *, wild=True):
    """Sessions with missing minutes and filled bars, days apart; with `wild` prices double and halve in some.

    Only the seed is hypothesis': value by value it prefers what is small, and small markets trade little.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sessions, date, wild = [], 0, wild and rng.random() < 0.3
    for _ in range(rng.integers(1, 7)):
        # now and then a hole longer than a stale order may wait
        stretch = int(rng.choice([1, 1, 1, 9]))
        minutes = np.flatnonzero(rng.random(MINUTES) < rng.choice([0.3, 0.9, 1.0])) * stretch
        if len(minutes):
            bars = _bars(rng, signal, minutes.tolist(), wild=wild)
            sessions.append({"bars": bars, "last_minute": MINUTES * stretch - 1, "date": date})
        date += int(rng.choice([1, 1, 3]))
    return sessions or [{"bars": _bars(rng, signal, [0]), "last_minute": MINUTES - 1, "date": date}]


@st.composite
def daily_markets(draw, signal=Signal.LOG_RETURN):
    """Sessions of one bar each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dates = np.cumsum(rng.choice([1, 1, 1, 3], rng.integers(1, 60))).tolist()
    bars = [{**bar, "real": True} for bar in _bars(rng, signal, [0] * len(dates))]
    return [{"bars": [bar], "last_minute": 0, "date": date} for bar, date in zip(bars, dates, strict=True)]


@st.composite
def rules(draw, signal=None, *, daily=False, plain=False):
    """Any setting that a setting may be; plain: only what every setting has to choose."""
    signal = draw(st.sampled_from(list(Signal))) if signal is None else signal
    some = st.integers(0, 5)
    chosen = {
        "signal": signal,
        "threshold": draw(st.sampled_from(THRESHOLDS[signal])),
        "side": draw(st.sampled_from(["long_flat", "long_short", "short_flat"])),
        "delay_bars": draw(st.integers(0, 4)),
        "fill": draw(st.sampled_from(list(Fill))),
        "flat_at_close": not daily and draw(st.booleans()),
    }
    if chosen["delay_bars"] == 0:
        chosen["fill"] = Fill.CLOSE
    if plain or draw(st.booleans()):
        chosen["hold_bars"] = draw(some)
    else:
        chosen["time_stop_bars"] = draw(st.sampled_from([0, 1, 3, 6]))
        chosen["min_hold_bars"] = min(draw(some), chosen["time_stop_bars"] or 9)
    if plain:
        return Setting(**chosen)
    maybe = {
        "volatility_scaled": st.just(signal not in {Signal.PROBABILITY, Signal.POSITION}),
        "z_limit": st.sampled_from([0.7123, 1.3217, 2.0119]),
        "bot_threshold": st.sampled_from([0.4, 0.55, 0.7]),
        "cooldown_bars": some,
        "stop_loss": st.sampled_from([0.0025, 0.01, 0.03]),
        "take_profit": st.sampled_from([0.0025, 0.01, 0.03]),
        "skip_first_minutes": st.just(0) if daily else some,
        "skip_last_minutes": st.just(0) if daily else some,
    }
    names = draw(st.lists(st.sampled_from([*maybe, "regime"]), max_size=3, unique=True))
    chosen |= {name: draw(maybe[name]) for name in names if name != "regime"}
    chosen |= {"volatility_bars": draw(st.sampled_from([10, 12])), "z_bars": draw(st.sampled_from([0, 20, 25]))}
    if "regime" in names:
        chosen |= {"regime": "mood", "regime_states": draw(st.sampled_from([(0,), (0, 1), (1, 2)]))}
    sizing = draw(st.sampled_from(["all_in", "all_in", "fraction", "shares"]))
    chosen |= {"sizing": sizing, "size": {"all_in": 1.0, "fraction": 0.37, "shares": 7.0}[sizing]}
    return Setting(**chosen)


PLAIN_COSTS = st.builds(
    Costs,
    fee_per_fill=st.sampled_from([0.0, 0.02, 1.0]),
    fee_per_share=st.sampled_from([0.0, 0.005, 30.0]),
    fee_bps=st.sampled_from([0.0, 1.0]),
    half_spread_bps=st.sampled_from([0.0, 0.5, 20.0]),
    slippage_bps=st.sampled_from([0.0, 2.0]),
    borrow_rate=st.sampled_from([0.0, 0.5]),
    participation=st.sampled_from([None, None, 0.025, 0.5]),
)
COSTS = st.one_of(
    PLAIN_COSTS,
    st.builds(
        Costs,
        fee_per_fill=st.sampled_from([0.0, 0.02]),
        fee_per_share=st.sampled_from([0.0, 0.005]),
        fee_bps=st.sampled_from([0.0, 1.0]),
        fee_minimum=st.sampled_from([0.0, 1.0]),
        slippage_atr=st.sampled_from([0.0, 0.1]),
        volume_impact=st.sampled_from([0.0, 0.1]),
        borrow_rate=st.sampled_from([0.0, 0.5]),
        participation=st.sampled_from([None, 0.025]),
    ),
)
CASH = st.sampled_from([1_000.0, 25.0, 100_000.0])


def column(sessions, name):
    return np.array([bar[name] for session in sessions for bar in session["bars"]])


def market_from(sessions, *, day_orders=True):
    """Build the engine's arrays from the reference's dicts."""
    dates = np.array([session["date"] for session in sessions])
    opens = dates * 86_400_000_000
    lengths = np.array([session["last_minute"] + 1 for session in sessions])
    calendar = Sessions(np.datetime64("1970-01-01") + dates, opens, opens + lengths * MINUTE_US)
    minutes = [opens[i] + bar["minute"] * MINUTE_US for i, session in enumerate(sessions) for bar in session["bars"]]
    prices = {name: column(sessions, name).astype(float) for name in ("open", "high", "low", "close", "prediction")}
    return market_of(
        ts_us=np.array(minutes, dtype=np.int64),
        **prices,
        fillable=column(sessions, "real").astype(bool),
        sessions=calendar,
        volume=column(sessions, "volume"),
        regimes={"mood": column(sessions, "regime").astype(np.int8)},
        bot_probability=column(sessions, "bot"),
        day_orders=day_orders,
    )


def daily_market_from(sessions):
    dates = np.datetime64("1970-01-01") + np.array([session["date"] for session in sessions])
    prices = {name: column(sessions, name).astype(float) for name in ("open", "high", "low", "close", "prediction")}
    return daily_market_of(
        session=dates,
        **prices,
        volume=column(sessions, "volume"),
        regimes={"mood": column(sessions, "regime").astype(np.int8)},
        bot_probability=column(sessions, "bot"),
    )
