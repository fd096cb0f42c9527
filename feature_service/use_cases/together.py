"""Rows together: several symbols on one clock, episodes to train and test on, regimes over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from feature_service.domain.alignment import as_of_join, inner_join
from feature_service.domain.episodes import OPTIONS, Option, among, days_of, episodes, option, rows_of, session_count
from feature_service.domain.regimes.timeline import Span, spans
from feature_service.use_cases.features import Features, Wanted, check_size
from feature_service.use_cases.kept import Kept
from shared.contracts.folds import Fold
from shared.contracts.identifiers import check_symbol
from shared.contracts.messages import Folds
from shared.contracts.regimes import REGIMES
from shared.errors import InvalidInput, NotFound

Join = Literal["inner", "asof"]
MAX_SYMBOLS = 50
#: values of an episode's minutes that are read, however few rows its longer timeframe leaves of them
MOST_READ = 100_000_000
#: counts of sessions that are kept in memory: of more symbols and sets than one house has
_KEPT = 10_000


class Together:
    """What spans more than one stored row or symbol."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._counted = Kept[int](_KEPT)

    def pinned(self, symbols: Sequence[str], wanted: Wanted) -> Wanted:
        """Return what is wanted with the set named, else the first that is built for all symbols and has the columns.

        Raises InvalidInput for fewer than 2 or more than 50 symbols, NotFound when no set is built for all.
        """
        chosen = list(dict.fromkeys(check_symbol(one) for one in symbols))
        if not 2 <= len(chosen) <= MAX_SYMBOLS:
            raise InvalidInput(f"{len(chosen)} symbols cannot be joined: name 2 to {MAX_SYMBOLS} different ones")
        if wanted.feature_set:
            return replace(wanted, feature_set=self._features.chosen(chosen[0], wanted.feature_set))
        first, *_ = (self._features.chosen(symbol, "", wanted.columns) for symbol in chosen)
        built = [[one.feature_set for one in self._features.built(symbol)] for symbol in chosen]
        common = [one for one in dict.fromkeys([first, *built[0]]) if all(one in have for have in built)]
        if not common:
            raise NotFound(f"no set is built for all of {', '.join(chosen)}: POST /features/build")
        having = (one for one in common if set(wanted.columns) <= set(self._features.columns(one, chosen[0])))
        return replace(wanted, feature_set=next(having, common[0]))

    def aligned(self, symbols: Sequence[str], join: Join, max_age_seconds: int, wanted: Wanted) -> pl.DataFrame:
        """Return several symbols' built rows side by side, columns named `<column>_<SYMBOL>`.

        What is taken as of a row may be older than `wanted.start`, but for the first symbol's.

        Raises as `pinned` does, and NotFound where the first symbol, of an inner join any, has no row in the span.
        """
        first, *others = chosen = list(dict.fromkeys(check_symbol(one) for one in symbols))
        most = None if wanted.most_values is None else wanted.most_values // len(chosen)
        each = replace(self.pinned(chosen, wanted), most_values=most)
        if join == "inner":
            return inner_join({one: self._features.read(one, each) for one in chosen})
        since = each.start and each.start - timedelta(seconds=max_age_seconds)
        earlier = replace(each, start=since, may_be_empty=True)
        frames = {first: self._features.read(first, each)} | {one: self._features.read(one, earlier) for one in others}
        return as_of_join(frames, max_age_seconds * 1_000_000)

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
        first = self._features.chosen(symbol)
        built = [one.feature_set for one in self._features.built(symbol)]
        return {one: self._features.columns(one, symbol) for one in dict.fromkeys([first, *built])}

    def folds(self, symbol: str, name: str, spec: Folds, horizon_bars: int) -> list[Fold]:
        """Return the episodes of what is built. Raises NotFound, or InvalidInput with too few sessions for one."""
        return episodes(self._features.instants(symbol, name), horizon_bars, spec)

    def fold_rows(
        self, symbol: str, wanted: Wanted, spec: Folds, horizon_bars: int, number: int, timeframe: str
    ) -> pl.DataFrame:
        """Return one episode's rows with `split`; a bucket that holds any test minute is test.

        wanted : of which set, and how many values the answer may hold; its minutes are bounded by `MOST_READ`

        Raises NotFound when there is no such episode, InvalidInput when it is too large.
        """
        set_id = self._features.chosen(symbol, wanted.feature_set)
        ts = self._features.instants(symbol, set_id)
        found = episodes(ts, horizon_bars, spec)
        if number >= len(found):
            raise NotFound(f"{symbol.upper()} has {len(found)} such episodes, counted from 0: there is no {number}")
        start, end = days_of(ts, found[number])
        frame = self._features.read(symbol, Wanted(start=start, end=end, feature_set=set_id, most_values=MOST_READ))
        rows = rows_of(frame, among(found[number], ts, frame["ts"].to_physical().to_numpy()), timeframe)
        if wanted.most_values is not None:
            check_size(symbol.upper(), rows.height, rows.width, wanted.most_values)
        return rows

    def regimes(
        self, symbol: str, name: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> dict[str, list[Span]]:
        """Return the spans of every regime of the set named, else of the first built that has regimes.

        Raises InvalidInput when it has none, NotFound as `Features.read`.
        """
        set_id = self._features.chosen(symbol, name, tuple(REGIMES))
        columns = [one for one in REGIMES if one in self._features.columns(set_id, symbol)]
        if not columns:
            raise InvalidInput(f"set {set_id} has no regimes: use regime or full")
        wanted = Wanted(start=start, end=end, columns=columns, feature_set=set_id)
        frame = self._features.read(symbol, wanted)
        return {one: spans(frame, one) for one in columns}

    def _sessions(self, name: str) -> dict[str, int]:
        """Return the built sessions by symbol: of the set named, else of the first that is built for each."""
        return {symbol: self._sessions_of(symbol, name) for symbol in self._features.symbols(name)}

    def _sessions_of(self, symbol: str, name: str) -> int:
        stored = self._features.stored(symbol, name)
        # the version is of one set and symbol
        return self._counted.get((stored.version,), lambda: session_count(stored.instants().to_physical().to_numpy()))
