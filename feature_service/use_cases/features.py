"""Features: read what is built, describe it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from feature_service.domain.catalogue import FULL, SETS, FeatureSet, feature_set
from feature_service.domain.describe import ColumnSummary, summarise
from feature_service.domain.feature import Feature
from feature_service.domain.records import BuildCounts, BuildEntry, BuiltSet, Coverage, Definition
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
        symbol = check_symbol(symbol)
        set_id, have = self._stored(symbol, name)
        if unknown := sorted(set(columns) - set(have)):
            raise InvalidInput(f"set {set_id} has no column {unknown[0]!r}: see GET /catalogue")
        frame = self._store.read(set_id, symbol, start, end, list(columns) or have)
        if frame.is_empty():
            raise NotFound(
                f"no features of {set_id} are built for {symbol} in that span: "
                "POST /features/build with the symbol and a window that has bars"
            )
        return frame

    def _stored(self, symbol: str, name: str) -> tuple[str, Sequence[str]]:
        """Return a set's id and columns: of this version, or of an older one whose data are still there."""
        try:
            known = feature_set(name)
        except NotFound:
            if columns := self._store.columns(name, symbol):
                return name, columns
            raise
        return known.id, known.columns

    def summary(self, symbol: str, name: str) -> list[ColumnSummary]:
        """Return what a person wants to know of each column of what is built. Raises NotFound when nothing is."""
        features = feature_set(name)
        return summarise(features, self.read(symbol, name))

    def catalogue(self) -> Sequence[Feature]:
        """Return the declaration of every feature."""
        return FULL.features

    def sets(self) -> list[FeatureSet]:
        """Return every set this version makes."""
        return list(SETS.values())

    def coverage(
        self, *, name: str | None = None, symbol: str | None = None, limit: int, offset: int = 0
    ) -> tuple[list[Coverage], int]:
        """Return a page of what is built; `name` is a set's plain name or its id."""
        wanted = feature_set(name).id if name else None
        return self._store.coverage(feature_set=wanted, symbol=symbol, limit=limit, offset=offset)

    def builds(self, *, symbol: str | None, limit: int, offset: int) -> tuple[list[BuildEntry], int]:
        """Return a page of the build log, the newest first."""
        return self._store.builds(symbol, limit, offset)

    def build_counts(self, since: datetime | None = None) -> BuildCounts:
        """Return how much of what was asked for was there already."""
        return self._store.build_counts(since)

    def definitions(self, name: str) -> list[Definition]:
        """Return what made the columns of a set; of an older id too. Raises NotFound when nothing was built of it."""
        set_id = next((one.id for one in SETS.values() if one.name == name), name)
        found = self._store.definitions(set_id)
        if not found:
            raise NotFound(f"nothing was ever built of feature set {set_id!r}: GET /coverage lists what was")
        return found

    def built_sets(self) -> list[BuiltSet]:
        """Return every set's id that something is built of, old ones too."""
        return self._store.known_sets()
