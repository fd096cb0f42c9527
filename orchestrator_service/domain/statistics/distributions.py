"""The few distribution functions used here, with types: scipy ships none.

`tail` is the upper one, 1 - cdf, without its rounding. `scipy.stats` is imported where it is called: it takes as long
as the rest of a service's start, and only the judging of a search asks for it.
"""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from scipy import special


def normal_cdf(z: float) -> float:
    return float(special.ndtr(z))


def normal_quantile(p: float) -> float:
    return float(special.ndtri(p))


def t_tail(t: float, freedom: int) -> float:
    return float(special.stdtr(freedom, -t))


def t_log_cdf(t: float, freedom: int) -> float:
    from scipy import stats

    return float(stats.t.logcdf(t, freedom))


def t_quantile(p: float, freedom: int) -> float:
    return float(special.stdtrit(freedom, p))


def shifted_t_tail(t: float, freedom: int, noncentrality: float) -> float:
    """Return the chance that a noncentral t exceeds `t`: the power of a t-test whose critical value is `t`."""
    from scipy import stats

    return float(stats.nct.sf(t, freedom, noncentrality))
