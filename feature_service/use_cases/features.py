"""Features: read what is built, describe it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from feature_service.domain.catalogue import SETS, FeatureSet, feature_set
from feature_service.domain.describe import ColumnSummary, summarise
from feature_service.domain.records import Coverage
from feature_service.store import Store
from shared.contracts.identifiers import check_symbol
from shared.errors import InvalidInput, NotFound


class Features:
    """What is built, and what could be."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(
        self,
        symbol: str,
        name: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        columns: Sequence[str] = (),
    ) -> pl.DataFrame:
        """Return ts and the wanted columns (all when none is named) of built rows in [start, end).

        Raises NotFound for an unknown set, symbol or span, InvalidInput for a column the set does not have.
        """
        features, symbol = feature_set(name), check_symbol(symbol)
        if unknown := sorted(set(columns) - set(features.columns)):
            raise InvalidInput(f"set {features.name!r} has no column {unknown[0]!r}: see GET /catalogue")
        frame = self._store.read(features.id, symbol, start, end, list(columns) or list(features.columns))
        if frame.is_empty():
            raise NotFound(
                f"no features of {features.id} are built for {symbol} in that span: "
                "POST /features/build with the symbol and a window that has bars"
            )
        return frame

    def summary(self, symbol: str, name: str) -> list[ColumnSummary]:
        """Return what a person wants to know of each column of what is built. Raises NotFound when nothing is."""
        features = feature_set(name)
        return summarise(features, self.read(symbol, name))

    def sets(self) -> list[FeatureSet]:
        """Return every set this version makes."""
        return list(SETS.values())

    def coverage(
        self, *, name: str | None = None, symbol: str | None = None, limit: int, offset: int = 0
    ) -> tuple[list[Coverage], int]:
        """Return a page of what is built; `name` is a set's plain name or its id."""
        wanted = feature_set(name).id if name else None
        return self._store.coverage(feature_set=wanted, symbol=symbol, limit=limit, offset=offset)
