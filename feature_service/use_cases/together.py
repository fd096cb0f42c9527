"""Rows together: several symbols on one clock, episodes to train and test on, regimes over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import polars as pl

from feature_service.domain.alignment import as_of_join, inner_join
from feature_service.domain.catalogue import SETS, feature_set
from feature_service.domain.episodes import OPTIONS, Option, episodes, option, rows_of, session_count
from feature_service.domain.regimes.timeline import Span, spans
from feature_service.store import Store
from feature_service.use_cases.features import Features
from shared.contracts.folds import Fold
from shared.contracts.identifiers import check_symbol
from shared.contracts.messages import Folds
from shared.contracts.regimes import REGIMES
from shared.errors import InvalidInput, NotFound

Join = Literal["inner", "asof"]
MAX_SYMBOLS = 50


class Together:
    """What spans more than one stored row or symbol."""

    def __init__(self, store: Store, features: Features) -> None:
        self._store = store
        self._features = features

    def aligned(
        self,
        symbols: Sequence[str],
        name: str,
        join: Join,
        max_age_seconds: int,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        columns: Sequence[str] = (),
    ) -> pl.DataFrame:
        """Return several symbols' built rows side by side, columns named `<column>_<SYMBOL>`.

        Raises InvalidInput for fewer than 2 or more than 50 symbols, NotFound where one has nothing built.
        """
        chosen = list(dict.fromkeys(check_symbol(one) for one in symbols))
        if not 2 <= len(chosen) <= MAX_SYMBOLS:
            raise InvalidInput(f"{len(chosen)} symbols cannot be joined: name 2 to {MAX_SYMBOLS} different ones")
        frames = {one: self._features.read(one, name, start=start, end=end, columns=columns) for one in chosen}
        return inner_join(frames) if join == "inner" else as_of_join(frames, max_age_seconds * 1_000_000)

    def options(self, name: str) -> list[tuple[Option, int]]:
        """Return every option with the number of symbols that have enough built sessions for it."""
        counts = self._sessions(name)
        return [(one, sum(have >= one.sessions for have in counts.values())) for one in OPTIONS.values()]

    def symbols(self, names: Sequence[str], name: str) -> dict[str, int]:
        """Return the symbols that have enough built sessions for all options named, and how many they have."""
        needed = max((option(one).sessions for one in names), default=1)
        return {symbol: have for symbol, have in self._sessions(name).items() if have >= needed}

    def columns(self, symbol: str) -> dict[str, tuple[str, ...]]:
        """Return by set's id the columns that are built for `symbol`. Raises NotFound when nothing is."""
        symbol = check_symbol(symbol)
        found = {one.id: one.columns for one in SETS.values() if self._store.content_hashes(one.id, symbol)}
        if not found:
            raise NotFound(f"nothing is built for {symbol}: POST /features/build")
        return found

    def folds(self, symbol: str, name: str, spec: Folds, horizon_bars: int) -> list[Fold]:
        """Return the episodes of what is built. Raises NotFound, or InvalidInput with too few sessions for one."""
        ts = self._store.read(self._built(symbol, name), check_symbol(symbol), None, None, [])["ts"]
        return episodes(ts.to_physical().to_numpy(), horizon_bars, spec)

    def fold_rows(
        self, symbol: str, name: str, spec: Folds, horizon_bars: int, number: int, timeframe: str
    ) -> pl.DataFrame:
        """Return one episode's rows with `split`; a bucket that holds any test minute is test."""
        frame = self._features.read(symbol, name)
        found = episodes(frame["ts"].to_physical().to_numpy(), horizon_bars, spec)
        if number >= len(found):
            raise NotFound(f"{symbol.upper()} has {len(found)} such episodes, counted from 0: there is no {number}")
        return rows_of(frame, found[number], timeframe)

    def regimes(
        self, symbol: str, name: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> dict[str, list[Span]]:
        """Return the spans of every regime of the set. Raises InvalidInput when it has none, NotFound as `read`."""
        columns = [one for one in REGIMES if one in feature_set(name).columns]
        if not columns:
            raise InvalidInput(f"set {name!r} has no regimes: use regime or full")
        frame = self._features.read(symbol, name, start=start, end=end, columns=columns)
        return {one: spans(frame, one) for one in columns}

    def _built(self, symbol: str, name: str) -> str:
        set_id = feature_set(name).id
        if not self._store.content_hashes(set_id, check_symbol(symbol)):
            raise NotFound(f"no features of {set_id} are built for {symbol.upper()}: POST /features/build")
        return set_id

    def _sessions(self, name: str) -> dict[str, int]:
        set_id = feature_set(name).id
        found, total = self._store.coverage(feature_set=set_id, symbol=None, limit=1_000, offset=0)
        while len(found) < total:
            found += self._store.coverage(feature_set=set_id, symbol=None, limit=1_000, offset=len(found))[0]
        instants = {one.symbol: self._store.read(set_id, one.symbol, None, None, [])["ts"] for one in found}
        return {symbol: session_count(ts.to_physical().to_numpy()) for symbol, ts in instants.items()}
