"""Statistics: what a person wants to know before trusting a built set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from feature_service.domain.bars import FloatArray, bars_of, usable
from feature_service.domain.catalogue import FeatureSet, feature_set
from feature_service.domain.statistics import (
    EARLY,
    ColumnStatistics,
    LabelShare,
    describe_columns,
    forward_return,
    label_shares,
)
from feature_service.store import PinnedFeatures, Store
from feature_service.use_cases.features import Features, Wanted
from feature_service.use_cases.kept import Kept
from shared.contracts.candles import Candles, condense
from shared.contracts.datasets import TS
from shared.contracts.identifiers import check_symbol
from shared.contracts.regimes import REGIMES
from shared.errors import InvalidInput, NotFound

#: described sets that are kept in memory: a page asks for the same one again and again
_KEPT = 16
#: candles a chart is sent: more than a screen is wide
_CANDLES = 2_000
LONGEST_HORIZON = 389


@dataclass(frozen=True, kw_only=True)
class Described:
    """A set's columns as built for one symbol; `correlation` is of shape (k, k) in the order of `columns`."""

    symbol: str
    feature_set: str
    horizon: int
    rows: int
    first_ts: datetime
    last_ts: datetime
    columns: list[ColumnStatistics]
    correlation: FloatArray
    #: share of all columns' values that are there
    complete: float
    #: share of rows without a missing value
    complete_rows: float


class Statistics:
    """Descriptions of built columns."""

    def __init__(self, store: Store, features: Features) -> None:
        self._store = store
        self._features = features
        self._kept = Kept[Described](_KEPT)

    def described(self, symbol: str, name: str, horizon: int) -> Described:
        """Return what is known of each column of a set as built for `symbol`.

        horizon : bars ahead that the information coefficient looks, 1..389

        Raises NotFound when the set is unknown or nothing is built of it, InvalidInput for another horizon.
        """
        if not 1 <= horizon <= LONGEST_HORIZON:
            raise InvalidInput(f"horizon is {horizon}: use 1 to {LONGEST_HORIZON} bars")
        features, symbol = feature_set(name), check_symbol(symbol)
        stored = self._features.stored(symbol, features.id)
        key = (features.id, symbol, horizon, stored.version)
        return self._kept.get(key, lambda: self._describe(features, symbol, horizon, stored))

    def beside_candles(self, symbol: str, column: str, wanted: Wanted) -> dict[str, str | list[float | None]]:
        """Return at most 2,000 candles of built rows and the column's last value in each, as columns for a chart."""
        built = self._features.read(symbol, wanted)
        bars = self._store.bars_between(check_symbol(symbol), built["ts"][0], built["ts"][-1])
        rows = built.join(bars, on="ts", how="inner")
        if rows.is_empty():
            raise NotFound(f"the bars that features of {symbol} were built of are gone: build again")
        ts = rows["ts"].to_physical().to_numpy()
        prices = {one: rows[one].to_numpy() for one in ("open", "high", "low", "close")}
        volume = rows["volume"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        candles = condense(Candles(ts_us=ts, volume=volume, length="1m", **prices), _CANDLES)
        last = np.append(np.searchsorted(ts, candles.ts_us)[1:], len(ts)) - 1
        values = rows[column].to_numpy().astype(np.float64)[last]
        drawn = {one: getattr(candles, one) for one in ("open", "high", "low", "close", "volume")} | {"value": values}
        columns: dict[str, list[float | None]] = {
            one: [None if np.isnan(v) else float(v) for v in part] for one, part in drawn.items()
        }
        columns["time"] = [float(at) for at in candles.ts_us // 1_000_000]
        return {"timeframe": "1m", "candle": candles.length, **columns}

    def shapes(self, symbol: str, name: str, column: str, bins: int = 30) -> dict[str, list[float]]:
        """Return the column's distribution in the oldest 70 % and the newest 30 % of rows: middles and two shares."""
        wanted = Wanted(columns=[column], feature_set=name)
        values = self._features.read(symbol, wanted)[column].to_numpy().astype(np.float64)
        early, late = (part[~np.isnan(part)] for part in np.split(values, [round(EARLY * len(values))]))
        if not len(early) or not len(late):
            return {"middles": [], "early": [], "late": []}
        low, high = (float(edge) for edge in np.percentile(np.concatenate([early, late]), [0.5, 99.5]))
        edges = np.linspace(low, high if high > low else low + 1, bins + 1)
        shares = [(np.histogram(np.clip(part, low, high), edges)[0] / len(part)).tolist() for part in (early, late)]
        return {"middles": ((edges[1:] + edges[:-1]) / 2).tolist(), "early": shares[0], "late": shares[1]}

    def labels(self, symbol: str, name: str, horizon: int) -> list[LabelShare]:
        """Return how the labels of a set's rows fall out in each state of each regime.

        The regimes are the set's own; where it has none, those of the first built set of `symbol` that has; else none.
        """
        set_id, symbol = feature_set(name).id, check_symbol(symbol)
        own = set_id if set(REGIMES) & set(feature_set(name).columns) else ""
        of = self._features.chosen(symbol, own, tuple(REGIMES))
        columns = [one for one in REGIMES if one in self._features.columns(of, symbol)]
        if not columns:
            return []
        instants = pl.DataFrame({"ts": pl.Series(self._features.instants(symbol, set_id)).cast(TS)})
        regimes = self._features.read(symbol, Wanted(columns=columns, feature_set=of))
        rows = instants.join(regimes, on="ts", how="left", maintain_order="left")
        ahead = self._ahead(symbol, instants["ts"], horizon)
        states = {one: rows[one].cast(pl.Float64).fill_null(float("nan")).to_numpy() for one in columns}
        return [share for one in columns for share in label_shares(one, states[one], ahead)]

    def _ahead(self, symbol: str, ts: pl.Series, horizon: int) -> FloatArray:
        """Return the log return over the next `horizon` bars of the session of each row, NaN where there is none."""
        bars = usable(self._store.bars_between(symbol, ts[0], ts[-1]))
        seen = bars_of(bars)
        ahead = pl.DataFrame({"ts": bars["ts"], "ahead": forward_return(seen.close, seen.ts_us, seen.first, horizon)})
        joined = ts.to_frame("ts").join(ahead, on="ts", how="left", maintain_order="left")
        return joined["ahead"].fill_null(float("nan")).to_numpy()

    def _describe(self, features: FeatureSet, symbol: str, horizon: int, stored: PinnedFeatures) -> Described:
        ts = stored.instants()
        groups = {one.name: one.group for one in features.features}
        ahead = self._ahead(symbol, ts, horizon)
        columns, correlation, whole = describe_columns(stored.columns(features.columns), groups, ahead, horizon)
        return Described(
            symbol=symbol,
            feature_set=features.id,
            horizon=horizon,
            rows=len(ts),
            first_ts=ts[0],
            last_ts=ts[-1],
            columns=columns,
            correlation=correlation,
            complete=1 - sum(one.missing for one in columns) / len(columns),
            complete_rows=whole,
        )
