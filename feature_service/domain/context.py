"""Market context: what a volatility proxy ("volatility") and the broad market ("market") say at any symbol's bar.

* A value is computed on the proxy's own bars and taken from its bar of the same minute, or from its last one before
  that, at most `max_age` minutes older. A later bar is never looked at.
* Missing context never fails and is never NaN: where the proxy has no such bar, or too few before it, each column has
  the neutral default its documentation names, and `context_missing` is 1 in that row.
* Returns of the market are taken over the same span as the symbol's own: from the symbol's bar before to this one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from feature_service.domain import rolling
from feature_service.domain.alignment import as_of
from feature_service.domain.bars import Bars, FloatArray, Int64Array
from feature_service.domain.feature import Feature
from feature_service.domain.returns import log_return
from feature_service.domain.reversion import price_z_score
from feature_service.domain.volatility import atr_ratio, vol_ratio

VOLATILITY, MARKET = "volatility", "market"
_MINUTE_US = 60_000_000
#: minutes that a proxy's last bar may be older than the symbol's
MAX_AGE = 5
#: a session: what levels, betas and usual volatilities are measured against
DAY = 390


def seen(bars: Bars, role: str, max_age: int) -> Int64Array:
    """Return for each bar the row in the role's bars that it may see, -1 where there is none."""
    other = bars.context.get(role)
    known = other.ts_us if other is not None else np.empty(0, dtype=np.int64)
    return as_of(bars.ts_us, known, max_age * _MINUTE_US)


def taken(bars: Bars, role: str, max_age: int, values: FloatArray, default: float) -> FloatArray:
    """Return `values` of the role's bars as seen at each bar, `default` where it has none or is undefined."""
    rows = bars.once(seen, role, max_age)
    if not len(values):
        return np.full(len(bars), default)
    found = np.where(rows >= 0, values[np.maximum(rows, 0)], np.nan)
    return np.where(np.isnan(found), default, found)


def vix_log_ret(bars: Bars, max_age: int) -> FloatArray:
    """Return the proxy's 1-bar log return; 0 where context is missing."""
    return taken(bars, VOLATILITY, max_age, _of(bars, VOLATILITY, log_return), 0.0)


def vix_z_score(bars: Bars, window: int, max_age: int) -> FloatArray:
    """Return how many sd the proxy is above its mean of the last `window` bars; 0 where context is missing."""
    return taken(bars, VOLATILITY, max_age, _of(bars, VOLATILITY, price_z_score, window), 0.0)


def vix_rel_vol(bars: Bars, short: int, long: int, max_age: int) -> FloatArray:
    """Return the proxy's realised volatility over its usual one; 1 where context is missing.

    Of its returns and not of its volume: an index has none.
    """
    return taken(bars, VOLATILITY, max_age, _of(bars, VOLATILITY, vol_ratio, short, long), 1.0)


def vix_atr_ratio(bars: Bars, window: int, max_age: int) -> FloatArray:
    """Return the proxy's average true range as a share of its price; 0 where context is missing."""
    return taken(bars, VOLATILITY, max_age, _of(bars, VOLATILITY, atr_ratio, window), 0.0)


def market_return(bars: Bars, max_age: int) -> FloatArray:
    """Return the market's 1-bar log return; 0 where context is missing."""
    return taken(bars, MARKET, max_age, _of(bars, MARKET, log_return), 0.0)


def beta(bars: Bars, window: int, max_age: int) -> FloatArray:
    """Return cov(own, market) / var(market) of returns over `window` bars; 1 where context is missing."""
    own, market = bars.once(_pairs, max_age)
    enough = window // 2
    mean_own, mean_market = (rolling.mean(one, window, enough) for one in (own, market))
    together = rolling.mean(own * market, window, enough) - mean_own * mean_market
    spread = rolling.mean(market**2, window, enough) - mean_market**2
    slope = rolling.ratio(together, spread, neutral=1.0, smallest=rolling.NO_MOVEMENT**2)
    return np.where(np.isnan(slope) | np.isnan(market), 1.0, slope)


def relative_strength(bars: Bars, window: int, max_age: int) -> FloatArray:
    """Return own less market return, summed over `window` bars, nights left out; 0 where context is missing."""
    own, market = bars.once(_pairs, max_age)
    summed = window * rolling.mean(own - market, window, window // 2)
    return np.where(np.isnan(summed) | np.isnan(market), 0.0, summed)


def volatility_missing(bars: Bars, window: int, max_age: int) -> FloatArray:
    """Return 1 where columns of the volatility proxy are defaults for lack of bars, else 0.

    That is: it has no bar fresh enough, or fewer than `window` bars before it.
    """
    return (bars.once(seen, VOLATILITY, max_age) < window - 1).astype(np.float64)


def market_missing(bars: Bars, window: int, max_age: int) -> FloatArray:
    """Return 1 where columns of the market are defaults for lack of bars, else 0.

    That is: it has no bar fresh enough, has fewer than `window` bars before it, or shares fewer than half of the last
    `window` bars with the symbol.
    """
    shared = rolling.mean(bars.once(_pairs, max_age)[1], window, window // 2)
    return ((bars.once(seen, MARKET, max_age) < window - 1) | np.isnan(shared)).astype(np.float64)


def context_missing(bars: Bars, window: int, max_age: int) -> FloatArray:
    """Return 1 where any context column of the row is a default for lack of bars, else 0."""
    missing = (bars.once(one, window, max_age) for one in (volatility_missing, market_missing))
    return np.maximum(*missing)


def _of(bars: Bars, role: str, compute: Callable[..., FloatArray], *key: float) -> FloatArray:
    other = bars.context.get(role)
    return other.once(compute, *key) if other is not None and len(other) else np.empty(0)


def _pairs(bars: Bars, max_age: int) -> tuple[FloatArray, FloatArray]:
    """Return own and market returns over the same spans, both NaN where the market has no bar for one end."""
    market = bars.context.get(MARKET)
    if market is None or not len(market):
        nothing = np.full(len(bars), np.nan)
        return nothing, nothing
    rows = bars.once(seen, MARKET, max_age)
    here: npt.NDArray[np.bool_] = rows >= 0
    row = np.maximum(rows, 0)
    one_bar = log_return(market)
    into_session = np.log(market.close / market.open[market.first])[row]
    same = np.concatenate([[False], bars.first[1:] == bars.first[:-1]])
    before = np.concatenate([[False], here[:-1]])
    span = into_session - rolling.previous(into_session)
    # in the session's first bar the symbol's own return begins at its open, so the market's does too
    over = np.where(same, np.where(before, span, np.nan), one_bar[row])
    over = np.where(here, over, np.nan)
    return np.where(np.isnan(over), np.nan, log_return(bars)), over


FEATURES = (
    Feature(
        name="vix_log_ret",
        group="context",
        inputs=("close", "open"),
        context=(VOLATILITY,),
        source="definition",
        params={"max_age": MAX_AGE},
        formula="ln(X[t] / X[t-1]) of the volatility proxy X",
        compute=vix_log_ret,
    ),
    Feature(
        name="vix_z_score",
        group="context",
        inputs=("close",),
        context=(VOLATILITY,),
        source="definition",
        params={"window": DAY, "max_age": MAX_AGE},
        formula="(X - mean(X, 390)) / sd(X, 390)",
        compute=vix_z_score,
    ),
    Feature(
        name="vix_rel_vol",
        group="context",
        inputs=("close", "open"),
        context=(VOLATILITY,),
        source="definition",
        params={"short": 30, "long": DAY, "max_age": MAX_AGE},
        formula="sqrt(mean(r^2, 30)) / sqrt(mean(r^2, 390)), r of X",
        compute=vix_rel_vol,
    ),
    Feature(
        name="vix_atr_ratio",
        group="context",
        inputs=("high", "low", "close"),
        context=(VOLATILITY,),
        source="definition",
        params={"window": 15, "max_age": MAX_AGE},
        formula="ATR(X, 15) / X",
        compute=vix_atr_ratio,
    ),
    Feature(
        name="qqq_return",
        group="context",
        inputs=("close", "open"),
        context=(MARKET,),
        source="definition",
        params={"max_age": MAX_AGE},
        formula="ln(M[t] / M[t-1]) of the market M",
        compute=market_return,
    ),
    Feature(
        name="qqq_beta",
        group="context",
        inputs=("close", "open"),
        context=(MARKET,),
        source="definition",
        params={"window": DAY, "max_age": MAX_AGE},
        formula="cov(r, m, 390) / var(m, 390), m the market's return over r's span",
        version=2,
        compute=beta,
    ),
    Feature(
        name="qqq_rel_strength",
        group="context",
        inputs=("close", "open"),
        context=(MARKET,),
        source="definition",
        params={"window": 60, "max_age": MAX_AGE},
        formula="sum(r - m, 60)",
        version=2,
        compute=relative_strength,
    ),
    *(
        Feature(
            name=name,
            group="context",
            inputs=("ts",),
            context=roles,
            source="definition",
            params={"window": DAY, "max_age": MAX_AGE},
            formula=f"1 where a column of {whose} is its default for lack of bars",
            compute=compute,
        )
        for name, roles, whose, compute in (
            ("vix_missing", (VOLATILITY,), "the volatility proxy", volatility_missing),
            ("qqq_missing", (MARKET,), "the market", market_missing),
            ("context_missing", (VOLATILITY, MARKET), "either", context_missing),
        )
    ),
)
