"""The few distribution functions used here, with types: scipy ships none.

`tail` is the upper one, 1 - cdf, without its rounding.
"""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from scipy import special, stats


def normal_cdf(z: float) -> float:
    return float(special.ndtr(z))


def normal_quantile(p: float) -> float:
    return float(special.ndtri(p))


def t_tail(t: float, freedom: int) -> float:
    return float(stats.t.sf(t, freedom))


def t_log_cdf(t: float, freedom: int) -> float:
    return float(stats.t.logcdf(t, freedom))


def t_quantile(p: float, freedom: int) -> float:
    return float(special.stdtrit(freedom, p))


def shifted_t_tail(t: float, freedom: int, noncentrality: float) -> float:
    """Return the chance that a noncentral t exceeds `t`: the power of a t-test whose critical value is `t`."""
    return float(stats.nct.sf(t, freedom, noncentrality))
