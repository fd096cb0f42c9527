"""What is known of a set's built columns: how complete, how stable, how related to what follows and to each other.

All are descriptions of the past, made from at most `SAMPLE` rows spread evenly over what is built; none of them is a
test of a strategy, and the information coefficient is in-sample by nature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_service.domain.bars import FloatArray, Int64Array
from shared.contracts.regimes import REGIMES, state_name

#: rows that quantiles, ranks and correlations look at: their standard errors are below 1 %
SAMPLE = 20_000
#: share of the rows, the oldest, that the rest is compared with
EARLY = 0.7
BINS = 10
#: columns whose mean absolute rank correlation is at least this are one cluster
TOGETHER = 0.7
#: below this many rows with values a figure says nothing
_FEWEST = 100


@dataclass(frozen=True, kw_only=True)
class ColumnStatistics:
    """What is known of one column. Figures are None where there are too few values.

    missing : share of all rows without a value
    mean, sd : over all rows with one
    psi : population stability index of the newest 30 % of rows against the oldest 70 %, over deciles of these; below
        0.1 is stable, above 0.25 drifted
    ic : rank correlation with the log return over the next `horizon` bars of the session
    ic_t : that, times sqrt(rows / horizon): its t-statistic were overlapping returns worth one in `horizon`
    cluster : number of the group of columns that say nearly the same
    """

    name: str
    group: str
    missing: float
    mean: float | None
    sd: float | None
    constant: bool
    psi: float | None
    ic: float | None
    ic_t: float | None
    cluster: int


@dataclass(frozen=True, kw_only=True)
class LabelShare:
    """What followed the rows of one state of a regime, -1 for unknown.

    rows : rows with a label, that is, whose next `horizon` bars lie in their session; share : of all such rows
    up, down : shares of these rows after which the price stood higher, lower
    mean, sd : of the log return over those bars; None without a row
    """

    regime: str
    state: int
    name: str
    rows: int
    share: float
    up: float | None
    down: float | None
    mean: float | None
    sd: float | None


def label_shares(regime: str, states: FloatArray, ahead: FloatArray) -> list[LabelShare]:
    """Return one row a state of a regime, the unknown one first when it occurs; named states always.

    states, ahead : of the same rows; NaN states are unknown, rows with a NaN return ahead have no label
    """
    labelled = ~np.isnan(ahead)
    known = np.where(np.isnan(states), -1, states)[labelled].astype(np.int64)
    returns = ahead[labelled]
    found: list[LabelShare] = []
    for state in sorted({*np.unique(known).tolist(), *range(len(REGIMES.get(regime, ())))}):
        of = returns[known == state]
        some = len(of) > 0
        found.append(
            LabelShare(
                regime=regime,
                state=state,
                name=state_name(regime, state),
                rows=len(of),
                share=len(of) / max(1, len(returns)),
                up=float((of > 0).mean()) if some else None,
                down=float((of < 0).mean()) if some else None,
                mean=float(of.mean()) if some else None,
                sd=float(of.std()) if some else None,
            )
        )
    return found


def forward_return(close: FloatArray, ts_us: Int64Array, session: Int64Array, horizon: int) -> FloatArray:
    """Return ln(C[t + horizon] / C[t]) within the session, NaN where the session ends before; shape (n,).

    ts_us, session : instants and session rows of the same bars, ascending
    """
    result = np.full(len(close), np.nan)
    if horizon < len(ts_us):
        same = session[horizon:] == session[:-horizon]
        result[:-horizon] = np.where(same, np.log(close[horizon:] / close[:-horizon]), np.nan)
    return result


def describe_columns(
    columns: Iterable[pl.Series], groups: Mapping[str, str], ahead: FloatArray, horizon: int
) -> tuple[list[ColumnStatistics], FloatArray, float]:
    """Return statistics of each column, their rank correlations, shape (k, k), and the share of rows that lack none.

    columns : built columns, each looked at once and then let go: all of a long history need not fit into memory
    groups : each one's group by name; ahead : the forward return of each row, NaN where unknown; at least one row
    """
    rows = np.unique(np.linspace(0, len(ahead) - 1, min(SAMPLE, len(ahead))).astype(np.int64))
    whole, moments, samples = np.ones(len(ahead), dtype=bool), list[_Moments](), list[FloatArray]()
    for column in columns:
        values = column.to_numpy().astype(np.float64)
        known = ~np.isnan(values)
        whole &= known
        moments.append(_moments(column.name, values[known], len(values)))
        samples.append(values[rows])
    ranks = np.column_stack([_ranks(one) for one in samples])
    correlation = rank_correlation(ranks)
    clusters = cluster(correlation)
    to_come = _ranks(ahead[rows])
    early = round(EARLY * len(rows))
    found: list[ColumnStatistics] = []
    for index, (of, sampled) in enumerate(zip(moments, samples, strict=True)):
        both = ~np.isnan(ranks[:, index]) & ~np.isnan(to_come)
        ic = _correlation(ranks[both, index], to_come[both])
        found.append(
            ColumnStatistics(
                **vars(of),
                group=groups[of.name],
                psi=drift(sampled[:early], sampled[early:]),
                ic=ic,
                ic_t=None if ic is None else ic * float(np.sqrt(len(ahead) * both.mean() / horizon)),
                cluster=int(clusters[index]),
            )
        )
    return found, correlation, float(whole.mean())


@dataclass(frozen=True, kw_only=True)
class _Moments:
    """What all rows of a column are needed for."""

    name: str
    missing: float
    mean: float | None
    sd: float | None
    constant: bool


def _moments(name: str, known: FloatArray, rows: int) -> _Moments:
    some = len(known) > 0
    return _Moments(
        name=name,
        missing=1 - len(known) / rows,
        mean=float(known.mean()) if some else None,
        sd=float(known.std()) if some else None,
        constant=some and float(known.min()) == float(known.max()),
    )


def drift(early: FloatArray, late: FloatArray) -> float | None:
    """Return the population stability index of `late` against `early`, over deciles of `early`.

    Sum over bins of (share late - share early) ln(share late / share early), shares of at least half a row. NaN is
    left out; None with fewer than 100 values on either side.
    """
    early, late = early[~np.isnan(early)], late[~np.isnan(late)]
    if min(len(early), len(late)) < _FEWEST:
        return None
    edges = np.unique(np.quantile(early, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = list[FloatArray]()
    for values in (early, late):
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        shares.append(np.maximum(counts, 0.5) / len(values))
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def rank_correlation(ranks: FloatArray) -> FloatArray:
    """Return the correlations of ranked columns, (n, k) to (k, k); a column that is constant or empty has NaN.

    Missing ranks count as the middle one.
    """
    centred = np.nan_to_num(ranks - np.nanmean(np.where(np.isnan(ranks).all(axis=0), 0.0, ranks), axis=0))
    length = np.sqrt((centred**2).sum(axis=0))
    usable = np.where(length > 0, length, np.nan)
    return (centred / usable).T @ (centred / usable)


def cluster(correlation: FloatArray) -> npt.NDArray[np.int64]:
    """Return a cluster number for each column, 0 the largest cluster's, by average linkage of |correlation|.

    The two clusters with the highest mean |correlation| are joined as long as that is at least `TOGETHER`.
    """
    near = np.nan_to_num(np.abs(correlation))
    members = [[index] for index in range(len(near))]
    sums = near.copy()
    np.fill_diagonal(sums, -1.0)
    while len(members) > 1:
        sizes = np.array([len(one) for one in members])
        means = sums / np.outer(sizes, sizes)
        a, b = sorted(int(i) for i in np.unravel_index(int(means.argmax()), means.shape))
        if means[a, b] < TOGETHER:
            break
        sums[a] += sums[b]
        sums[:, a] = sums[a]
        sums[a, a] = -np.inf
        sums = np.delete(np.delete(sums, b, axis=0), b, axis=1)
        members[a] += members.pop(b)
    numbers = np.empty(len(near), dtype=np.int64)
    for number, one in enumerate(sorted(members, key=lambda found: (-len(found), min(found)))):
        numbers[one] = number
    return numbers


def _ranks(values: FloatArray) -> FloatArray:
    """Return ranks from 0, the mean one for equal values; NaN stays NaN."""
    ranked = pl.Series(values, nan_to_null=True).rank("average").cast(pl.Float64)
    return ranked.fill_null(float("nan")).to_numpy()


def _correlation(x: FloatArray, y: FloatArray) -> float | None:
    if len(x) < _FEWEST or x.min() == x.max() or y.min() == y.max():
        return None
    return float(np.corrcoef(x, y)[0, 1])
