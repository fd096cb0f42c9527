"""Features: read what is built, describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from feature_service.domain.bars import Int64Array
from feature_service.domain.catalogue import FULL, SETS, FeatureSet, feature_set
from feature_service.domain.describe import ColumnSummary, summarise
from feature_service.domain.feature import Feature
from feature_service.domain.records import BuildCounts, BuildEntry, BuiltSet, Coverage, Definition
from feature_service.store import PinnedFeatures, Store
from feature_service.use_cases.kept import Kept
from shared.contracts.identifiers import check_symbol
from shared.errors import InvalidInput, NotFound

#: summaries that are kept in memory: the page of one symbol is drawn anew for every column chosen
_KEPT = 16


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Rows of [start, end), all columns when none is named, of the set named, else of the first built that has them."""

    start: datetime | None = None
    end: datetime | None = None
    columns: Sequence[str] = ()
    feature_set: str = ""
    #: more values (rows times columns) than this are refused
    most_values: int | None = None
    #: whether a span without a row is an answer
    may_be_empty: bool = False


class Features:
    """What is built, and what could be."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._summaries = Kept[list[ColumnSummary]](_KEPT)

    def built(self, symbol: str) -> list[Coverage]:
        """Return what is built for `symbol`: sets of this version as the catalogue lists them, then older ones."""
        found, _ = self._store.coverage(feature_set=None, symbol=check_symbol(symbol), limit=1_000, offset=0)
        order = {one.id: place for place, one in enumerate(SETS.values())}
        return sorted(found, key=lambda one: (order.get(one.feature_set, len(order)), one.feature_set))

    def has_bars(self, symbol: str) -> bool:
        """Return whether there is anything to build `symbol` of."""
        return bool(self._store.bars(check_symbol(symbol)).months(check_symbol(symbol)))

    def chosen(
        self,
        symbol: str,
        name: str = "",
        columns: Sequence[str] = (),
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> str:
        """Return the id of the set to read: the one named, else the first that is built for `symbol` with `columns`.

        One that has rows in [start, end) comes before those that do not.

        Raises NotFound for an unknown set, or when nothing is built; InvalidInput then for a column nobody knows.
        """
        if name:
            return self._id(name, symbol)
        built = self.built(symbol)
        if not built:
            if unknown := sorted(set(columns) - set(FULL.columns)):
                raise InvalidInput(f"there is no column {unknown[0]!r}: see GET /catalogue")
            raise NotFound(
                f"no features are built for {check_symbol(symbol)}: POST /features/build; without bars, ingest or "
                "import them first"
            )
        having = [one for one in built if set(columns) <= set(self.columns(one.feature_set, symbol))]
        there = [one for one in having if (not start or start <= one.last_ts) and (not end or one.first_ts < end)]
        return (there or having or built)[0].feature_set

    def pinned(self, symbol: str, wanted: Wanted) -> Wanted:
        """Return what is wanted with the id of the set that answers it. Raises as `chosen` does."""
        return replace(wanted, feature_set=self._chosen(symbol, wanted))

    def read(self, symbol: str, wanted: Wanted) -> pl.DataFrame:
        """Return ts and the wanted columns of built rows.

        Raises NotFound for an unknown set, symbol or span, InvalidInput for a column the set does not have and for
        more values than asked for at most.
        """
        symbol = check_symbol(symbol)
        set_id = self._chosen(symbol, wanted)
        have = self.columns(set_id, symbol)
        if unknown := sorted(set(wanted.columns) - set(have)):
            raise InvalidInput(f"set {set_id} has no column {unknown[0]!r}: see GET /catalogue")
        columns = list(wanted.columns) or have
        self._bounded(set_id, symbol, wanted, len(columns))
        frame = self._store.read(set_id, symbol, wanted.start, wanted.end, columns)
        if frame.is_empty() and not wanted.may_be_empty:
            raise self._nothing(set_id, symbol)
        return frame

    def _chosen(self, symbol: str, wanted: Wanted) -> str:
        return self.chosen(symbol, wanted.feature_set, wanted.columns, start=wanted.start, end=wanted.end)

    def columns(self, set_id: str, symbol: str) -> tuple[str, ...]:
        """Return the columns of a set's id: by its definition, or those stored of an older one."""
        known = next((one.columns for one in SETS.values() if one.id == set_id), None)
        return known if known is not None else tuple(self._store.columns(set_id, check_symbol(symbol)))

    def stored(self, symbol: str, name: str) -> PinnedFeatures:
        """Return what is built of a set now, to read its columns in turn. Raises NotFound when nothing is."""
        symbol = check_symbol(symbol)
        set_id = self.chosen(symbol, name)
        found = self._store.features(set_id, symbol)
        if not found.rows:
            raise self._nothing(set_id, symbol)
        return found

    def instants(self, symbol: str, name: str) -> Int64Array:
        """Return when the built rows of a set begin, in microseconds, ascending. Raises NotFound when none is built."""
        return self.stored(symbol, name).instants().to_physical().to_numpy()

    def symbols(self, name: str) -> list[str]:
        """Return the symbols that something is built for, sorted: of the set named, else of any."""
        return self._store.built_symbols(self._id(name) if name else None)

    def _id(self, name: str, symbol: str = "") -> str:
        """Return the id of a set: of this version, or of an older one that is still there (for `symbol`)."""
        try:
            return feature_set(name).id
        except NotFound:
            older = {one.feature_set for one in self._store.known_sets()}
            if name in older or (symbol and self._store.columns(name, check_symbol(symbol))):
                return name
            raise

    def _bounded(self, set_id: str, symbol: str, wanted: Wanted, columns: int) -> None:
        if wanted.most_values is None:
            return
        rows = self._store.most_rows(set_id, symbol, wanted.start, wanted.end)
        check_size(symbol, rows, columns, wanted.most_values)

    def _nothing(self, set_id: str, symbol: str) -> NotFound:
        built = self.built(symbol)
        here = next((one for one in built if one.feature_set == set_id), None)
        if here is not None:
            return NotFound(
                f"{symbol} has no rows of {set_id} in that span: they run from {here.first_ts:%Y-%m-%d %H:%M} to "
                f"{here.last_ts:%Y-%m-%d %H:%M} UTC"
            )
        others = ", ".join(one.feature_set for one in built) or "none"
        return NotFound(
            f"no features of {set_id} are built for {symbol} (built: {others}): POST /features/build; without bars, "
            "ingest or import them first"
        )

    def summary(self, symbol: str, set_id: str) -> list[ColumnSummary]:
        """Return what a person wants to know of each column of what is built. Raises NotFound when nothing is."""
        stored, symbol = self.stored(symbol, set_id), check_symbol(symbol)
        groups = {one.name: one.group for one in FULL.features}
        names = {name: groups.get(name, "no longer made") for name in self.columns(set_id, symbol)}
        return self._summaries.get(
            (set_id, symbol, stored.version), lambda: summarise(names, stored.columns(list(names)))
        )

    def catalogue(self) -> Sequence[Feature]:
        """Return the declaration of every feature."""
        return FULL.features

    def set(self, name: str) -> FeatureSet:
        """Return a set that this version makes. Raises NotFound."""
        return feature_set(name)

    def sets(self) -> list[FeatureSet]:
        """Return every set this version makes."""
        return list(SETS.values())

    def coverage(
        self, *, name: str | None = None, symbol: str | None = None, limit: int, offset: int = 0
    ) -> tuple[list[Coverage], int]:
        """Return a page of what is built; `name` is a set's plain name or its id."""
        return self._store.coverage(
            feature_set=self._id(name) if name else None, symbol=symbol, limit=limit, offset=offset
        )

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


def check_size(symbol: str, rows: int, columns: int, most_values: int) -> None:
    """Raise InvalidInput when rows times columns are more than an answer may hold."""
    if rows * columns > most_values:
        raise InvalidInput(
            f"{rows:,} rows of {columns} columns are {rows * columns:,} values of {symbol}, and this answer may hold "
            f"{most_values:,} of each symbol: ask for a shorter span or episode, fewer columns or a smaller set, or "
            "format=arrow"
        )
