"""Builds: make the blocks that are missing, reuse those that are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_service.domain.bars import Fitted
from feature_service.domain.blocks import (
    Month,
    block_fingerprint,
    compute_block,
    estimate,
    fit_fingerprint,
    months_between,
)
from feature_service.domain.catalogue import FeatureSet, feature_set
from feature_service.domain.feature import Feature, Fit
from feature_service.domain.records import Block, FitRow, Read
from feature_service.store import Store
from feature_service.use_cases.gathering import Gathered, MonthlyBars, Roles
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import BuildFeatures
from shared.contracts.progress import Progress
from shared.errors import NotFound
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.lake.frames import content_hash
from shared.storage.postgres import Connection


class Builds:
    """Blocks in the making."""

    def __init__(self, store: Store, queue: Queue, roles: Roles) -> None:
        self._store = store
        self._queue = queue
        self._roles = roles

    def submit(self, requests: Sequence[BuildFeatures]) -> list[int]:
        """Enqueue one build a request and return the jobs' ids.

        Raises NotFound for an unknown set or a symbol without bars; then nothing is enqueued.
        """
        for request in requests:
            feature_set(request.feature_set)
            _wanted_months(request, self._store.bars(request.symbol).months(request.symbol))
        return self._queue.submit([_submission(request) for request in requests])

    def build(
        self, request: BuildFeatures, progress: Progress, still_mine: Callable[[Connection], None]
    ) -> dict[str, Any]:
        """Make the blocks of `request` that do not exist yet and return the job's result.

        A block exists when the registry knows it, the lake holds that very content, and the bars it was made of
        are unchanged: the same files, or other files with the same rows where it reads. Raises NotFound when the
        symbol has no bars in the window.
        """
        features, symbol = feature_set(request.feature_set), request.symbol
        making = self._making(features, symbol, still_mine)
        pinned = making.bars.pinned
        months = _wanted_months(request, pinned.months(symbol))
        present = self._present(features, symbol)
        for done, month in enumerate(months):
            progress.advanced(done / len(months), f"{symbol} {month}")
            block = present.get(str(month))
            if block is None or block.bars_version != making.version(block.reads, month):
                self._make(making, month, block)
        return {
            "feature_set": features.id,
            "symbol": symbol,
            "months": len(months),
            "reused": len(months) - len(making.built),
            "rows": sum(block.rows for block in making.built),
            "built": [_as_row(block) for block in making.built],
            "confirmed": [_as_row(block) for block in making.confirmed],
            "fits": [asdict(fit) for fit in making.fits],
            "fits_reused": making.fits_reused,
            "definitions": [_definition(one) for one in features.features],
        }

    def replays(self, symbol: str, name: str) -> Replay:
        """Compute the first half of the newest block as it was known then, and compare it with what is stored.

        Raises NotFound when nothing is built.
        """
        features = feature_set(name)
        present = self._present(features, symbol)
        if not present:
            raise NotFound(f"no features of {features.id} are built for {symbol}: POST /features/build")
        block = present[max(present)]
        month = Month.parse(block.month)
        making = self._making(features, symbol, lambda _: None)
        if block.bars_version != making.version(block.reads, month):
            return Replay(month=block.month, rows=0, agrees=None)
        gathered = making.bars.gather(features, symbol, month)
        known = gathered.bars.head(max(1, gathered.bars.height // 2))
        until = known["ts"][-1]
        fits = {fit.name: self._store.fit(fit_fingerprint(fit, _past_hash(fit, gathered))) for fit in features.fits}
        again = compute_block(
            features,
            symbol,
            gathered.before,
            known,
            {role: frame.filter(pl.col("ts") <= until) for role, frame in gathered.context.items()},
            {one: _numbers(row) for one, row in fits.items() if row is not None and row.numbers is not None},
            gathered.splits,
        )
        stored = self._store.read(features.id, symbol, month.start, until + timedelta(minutes=1), features.columns)
        same = again.select(stored.columns).equals(stored, null_equal=True)
        return Replay(month=block.month, rows=known.height, agrees=same)

    def _making(self, features: FeatureSet, symbol: str, still_mine: Callable[[Connection], None]) -> _Making:
        others = [one for role in features.roles for one in self._roles[role]]
        return _Making(features, symbol, MonthlyBars(self._store.bars(symbol, *others), self._roles), still_mine)

    def _present(self, features: FeatureSet, symbol: str) -> dict[str, Block]:
        hashes = self._store.content_hashes(features.id, symbol)
        known = self._store.blocks(features.id, symbol)
        return {month: block for month, block in known.items() if hashes.get(month) == block.content_hash}

    def _make(self, making: _Making, month: Month, known: Block | None) -> None:
        features, symbol = making.features, making.symbol
        gathered = making.bars.gather(features, symbol, month)
        if gathered.bars.is_empty():  # a month of nothing but filled or after-hours bars
            return
        names = {fit.name: fit_fingerprint(fit, _past_hash(fit, gathered)) for fit in features.fits}
        bars_hash = fingerprint("block_reads", bars=gathered.bars_hash, fits=names)
        version = making.version(gathered.reads, month)
        seen = {
            "bars_version": version,
            "bars_from": Month.parse(gathered.reads[0]["since"]).start,
            "reads": gathered.reads,
        }
        if known is not None and known.bars_hash == bars_hash:
            making.confirmed.append(Block(**{**vars(known), **seen}))
            return
        fits = {fit.name: self._fitted(making, fit, names[fit.name], gathered, month) for fit in features.fits}
        frame = compute_block(
            features,
            symbol,
            gathered.before,
            gathered.bars,
            gathered.context,
            {name: numbers for name, numbers in fits.items() if numbers is not None},
            gathered.splits,
        )
        making.built.append(
            Block(
                **seen,
                feature_set=features.id,
                symbol=symbol,
                month=str(month),
                fingerprint=block_fingerprint(features, symbol, month, bars_hash),
                bars_hash=bars_hash,
                content_hash=self._store.save_block(frame, making.still_mine),
                rows=frame.height,
                first_ts=frame["ts"][0],
                last_ts=frame["ts"][-1],
            )
        )

    def _fitted(self, making: _Making, fit: Fit, name: str, gathered: Gathered, month: Month) -> Fitted | None:
        """Return what an estimation left behind, made now only if nobody made it before."""
        row = self._store.fit(name)
        if row is None:
            numbers = estimate(fit, gathered.past, gathered.past_context)
            kept = None if numbers is None else {one: values.tolist() for one, values in numbers.items()}
            row = FitRow(fingerprint=name, name=fit.name, symbol=making.symbol, month=str(month), numbers=kept)
            making.fits.append(row)
        else:
            making.fits_reused += 1
        return None if row.numbers is None else _numbers(row)


@dataclass(frozen=True)
class Replay:
    """Whether a block's first `rows`, computed from what was known then, are what is stored; None: bars changed."""

    month: str
    rows: int
    agrees: bool | None


@dataclass
class _Making:
    """One build in progress."""

    features: FeatureSet
    symbol: str
    bars: MonthlyBars
    still_mine: Callable[[Connection], None]
    built: list[Block] = field(default_factory=list[Block])
    confirmed: list[Block] = field(default_factory=list[Block])
    fits: list[FitRow] = field(default_factory=list[FitRow])
    fits_reused: int = 0

    def version(self, reads: Sequence[Read], month: Month) -> str:
        """Return what names the files of `reads`, and who may play the roles that the set reads."""
        files = self.bars.pinned.version(reads, month)
        players = {role: list(self.bars.roles[role]) for role in self.features.roles}
        return fingerprint("files_read", files=files, players=players) if players else files


def _numbers(row: FitRow) -> Fitted:
    return {one: np.asarray(values) for one, values in (row.numbers or {}).items()}


def _past_hash(fit: Fit, gathered: Gathered) -> str:
    own = None if fit.of else content_hash(gathered.past.tail(fit.rows))
    context = {role: content_hash(frame.tail(fit.rows)) for role, frame in gathered.past_of(fit).items()}
    return fingerprint("past_read", bars=own, context=context)


def _wanted_months(request: BuildFeatures, have: Sequence[Month]) -> list[Month]:
    window = months_between(request.window.start_utc, request.window.end_utc)
    wanted = [month for month in window if month in set(have)]
    if not wanted:
        raise NotFound(
            f"there are no bars of {request.symbol} from {request.window.start:%Y-%m-%d} to "
            f"{request.window.end:%Y-%m-%d}: ingest or import them first"
        )
    return wanted


def _submission(request: BuildFeatures) -> Submission:
    payload = request.model_dump(mode="json")
    key = f"{JobKind.BUILD_FEATURES}:{fingerprint('build', **payload)}"
    return Submission(kind=JobKind.BUILD_FEATURES, payload=payload, unique_key=key)


def _definition(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "version": feature.version,
        "parameters_hash": feature.parameters_hash,
        "parameters": dict(feature.params),
        "source": feature.source,
        "formula": feature.formula,
        "stored": feature.stored,
    }


def _as_row(block: Block) -> dict[str, Any]:
    row = {name: value for name, value in asdict(block).items() if name != "created_at"}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
