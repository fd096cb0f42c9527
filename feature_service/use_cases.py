"""Features: build what is missing, read what is there, describe both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from feature_service.domain.blocks import (
    BEGINNING,
    WARM_UP_BARS,
    Month,
    block_fingerprint,
    compute_block,
    months_between,
)
from feature_service.domain.catalogue import SETS, FeatureSet, feature_set
from feature_service.domain.describe import ColumnSummary, summarise
from feature_service.domain.records import Block, Coverage
from feature_service.store import PinnedBars, Store
from shared.contracts.identifiers import check_symbol, fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import BuildFeatures
from shared.contracts.progress import Progress
from shared.errors import InvalidInput, NotFound
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Connection


class Features:
    """Feature sets and their blocks."""

    def __init__(self, store: Store, queue: Queue) -> None:
        self._store = store
        self._queue = queue

    def submit(self, requests: Sequence[BuildFeatures]) -> list[int]:
        """Enqueue one build a request and return the jobs' ids.

        Raises NotFound for an unknown set or a symbol without bars; then nothing is enqueued.
        """
        for request in requests:
            feature_set(request.feature_set)
            _wanted_months(request, self._store.bars(request.symbol).months)
        return self._queue.submit([_submission(request) for request in requests])

    def build(
        self, request: BuildFeatures, progress: Progress, still_mine: Callable[[Connection], None]
    ) -> dict[str, Any]:
        """Make the blocks of `request` that do not exist yet and return the job's result.

        A block exists when the registry knows it, the lake holds that very content, and the bars it was made of
        are unchanged. Raises NotFound when the symbol has no bars in the window.
        """
        features = feature_set(request.feature_set)
        pinned = self._store.bars(request.symbol)
        months = _wanted_months(request, pinned.months)
        present = self._present(features, request.symbol)
        bars = _MonthlyBars(request.symbol, pinned)
        built = list[Block]()
        for done, month in enumerate(months):
            progress.advanced(done / len(months), f"{request.symbol} {month}")
            if not _is_current(present.get(str(month)), month, pinned):
                block = self._make(features, bars, month, still_mine)
                built += [block] if block is not None else []
        return {
            "feature_set": features.id,
            "symbol": request.symbol,
            "months": len(months),
            "reused": len(months) - len(built),
            "rows": sum(block.rows for block in built),
            "built": [_as_row(block) for block in built],
        }

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

    def _present(self, features: FeatureSet, symbol: str) -> dict[str, Block]:
        hashes = self._store.content_hashes(features.id, symbol)
        known = self._store.blocks(features.id, symbol)
        return {month: block for month, block in known.items() if hashes.get(month) == block.content_hash}

    def _make(
        self, features: FeatureSet, bars: _MonthlyBars, month: Month, still_mine: Callable[[Connection], None]
    ) -> Block | None:
        before, oldest = bars.before(month)
        frame = compute_block(features, bars.symbol, before, bars.of(month))
        if frame.is_empty():  # a month of nothing but filled or after-hours bars
            return None
        version = bars.pinned.version(oldest, month)
        return Block(
            feature_set=features.id,
            symbol=bars.symbol,
            month=str(month),
            fingerprint=block_fingerprint(features, bars.symbol, month, version),
            bars_version=version,
            bars_from=oldest.start,
            content_hash=self._store.save_block(frame, still_mine),
            rows=frame.height,
            first_ts=frame["ts"][0],
            last_ts=frame["ts"][-1],
        )


@dataclass
class _MonthlyBars:
    """Usable bars by month, each read once while months are built one after the other."""

    symbol: str
    pinned: PinnedBars
    kept: dict[Month, pl.DataFrame] = field(default_factory=dict[Month, pl.DataFrame])

    def of(self, month: Month) -> pl.DataFrame:
        if month not in self.kept:
            self.kept[month] = self.pinned.usable(month)
        return self.kept[month]

    def before(self, month: Month) -> tuple[pl.DataFrame, Month]:
        """Return the bars of as many months before `month` as hold the warm-up, and the oldest month that takes part.

        Where history is too short for the warm-up, older bars that arrive later would take part too: then the oldest
        month is `BEGINNING`, so that their arrival makes the block outdated.
        """
        parts, rows, oldest = list[pl.DataFrame](), 0, month
        for earlier in reversed([one for one in self.pinned.months if one < month]):
            if rows >= WARM_UP_BARS:
                break
            parts.append(self.of(earlier))
            rows, oldest = rows + parts[-1].height, earlier
        for done in [one for one in self.kept if one < oldest]:
            del self.kept[done]  # later months reach back no further
        frame = pl.concat(reversed(parts)) if parts else self.of(month).clear()
        return frame, oldest if rows >= WARM_UP_BARS else BEGINNING


def _wanted_months(request: BuildFeatures, have: Sequence[Month]) -> list[Month]:
    window = months_between(request.window.start_utc, request.window.end_utc)
    wanted = [month for month in window if month in set(have)]
    if not wanted:
        raise NotFound(
            f"there are no bars of {request.symbol} from {request.window.start:%Y-%m-%d} to "
            f"{request.window.end:%Y-%m-%d}: ingest or import them first"
        )
    return wanted


def _is_current(block: Block | None, month: Month, bars: PinnedBars) -> bool:
    return block is not None and block.bars_version == bars.version(Month.of(block.bars_from), month)


def _submission(request: BuildFeatures) -> Submission:
    payload = request.model_dump(mode="json")
    key = f"{JobKind.BUILD_FEATURES}:{fingerprint('build', **payload)}"
    return Submission(kind=JobKind.BUILD_FEATURES, payload=payload, unique_key=key)


def _as_row(block: Block) -> dict[str, Any]:
    row = {name: value for name, value in asdict(block).items() if name != "created_at"}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
