"""Statistics: what a person wants to know before trusting a built set."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from feature_service.domain.bars import FloatArray, bars_of, usable
from feature_service.domain.catalogue import FeatureSet, feature_set
from feature_service.domain.statistics import ColumnStatistics, describe_columns, forward_return
from feature_service.store import Store
from feature_service.use_cases.features import Features
from shared.contracts.candles import Candles, condense
from shared.contracts.identifiers import check_symbol
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
        self._kept: OrderedDict[tuple[str, ...], Described] = OrderedDict()

    def described(self, symbol: str, name: str, horizon: int) -> Described:
        """Return what is known of each column of a set as built for `symbol`.

        horizon : bars ahead that the information coefficient looks, 1..389

        Raises NotFound when the set is unknown or nothing is built of it, InvalidInput for another horizon.
        """
        if not 1 <= horizon <= LONGEST_HORIZON:
            raise InvalidInput(f"horizon is {horizon}: use 1 to {LONGEST_HORIZON} bars")
        features, symbol = feature_set(name), check_symbol(symbol)
        key = (features.id, symbol, str(horizon), self._store.features_version(features.id, symbol))
        if key not in self._kept:
            self._kept[key] = self._describe(features, symbol, horizon)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def beside_candles(
        self, symbol: str, name: str, column: str, start: datetime | None, end: datetime | None
    ) -> dict[str, list[float | None]]:
        """Return at most 2,000 candles of built rows and the column's last value in each, as columns for a chart."""
        built = self._features.read(symbol, name, start=start, end=end, columns=[column])
        bars = self._store.bars_between(check_symbol(symbol), built["ts"][0], built["ts"][-1])
        rows = built.join(bars, on="ts", how="inner")
        if rows.is_empty():
            raise NotFound(f"the bars that features of {symbol} were built of are gone: build again")
        ts = rows["ts"].to_physical().to_numpy()
        prices = {one: rows[one].to_numpy() for one in ("open", "high", "low", "close")}
        volume = rows["volume"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        candles = condense(Candles(ts_us=ts, volume=volume, **prices), _CANDLES)
        last = np.append(np.searchsorted(ts, candles.ts_us)[1:], len(ts)) - 1
        values = rows[column].to_numpy().astype(np.float64)[last]
        drawn = {one: getattr(candles, one) for one in ("open", "high", "low", "close", "volume")} | {"value": values}
        columns = {one: [None if np.isnan(v) else float(v) for v in part] for one, part in drawn.items()}
        return {"time": [float(at) for at in candles.ts_us // 1_000_000], **columns}

    def shapes(self, symbol: str, name: str, column: str, bins: int = 30) -> dict[str, list[float]]:
        """Return the column's distribution in the oldest 70 % and the newest 30 % of rows: middles and two shares."""
        values = self._features.read(symbol, name, columns=[column])[column].to_numpy().astype(np.float64)
        early, late = (part[~np.isnan(part)] for part in np.split(values, [round(0.7 * len(values))]))
        if not len(early) or not len(late):
            return {"middles": [], "early": [], "late": []}
        low, high = (float(edge) for edge in np.percentile(np.concatenate([early, late]), [0.5, 99.5]))
        edges = np.linspace(low, high if high > low else low + 1, bins + 1)
        shares = [(np.histogram(np.clip(part, low, high), edges)[0] / len(part)).tolist() for part in (early, late)]
        return {"middles": ((edges[1:] + edges[:-1]) / 2).tolist(), "early": shares[0], "late": shares[1]}

    def _describe(self, features: FeatureSet, symbol: str, horizon: int) -> Described:
        frame = self._features.read(symbol, features.name)
        bars = usable(self._store.bars_between(symbol, frame["ts"][0], frame["ts"][-1]))
        seen = bars_of(bars)
        ahead = pl.DataFrame({"ts": bars["ts"], "ahead": forward_return(seen.close, seen.ts_us, seen.first, horizon)})
        joined = frame.join(ahead, on="ts", how="left", maintain_order="left")
        columns, correlation = describe_columns(
            joined,
            {one.name: one.group for one in features.features},
            joined["ahead"].fill_null(float("nan")).to_numpy(),
            horizon,
        )
        missing = pl.any_horizontal(pl.col(features.columns).is_nan())
        return Described(
            symbol=symbol,
            feature_set=features.id,
            horizon=horizon,
            rows=frame.height,
            first_ts=frame["ts"][0],
            last_ts=frame["ts"][-1],
            columns=columns,
            correlation=correlation,
            complete=1 - sum(one.missing for one in columns) / len(columns),
            complete_rows=1 - float(frame.select(missing.mean()).item()),
        )
