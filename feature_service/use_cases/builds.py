"""Builds: make the blocks that are missing, reuse those that are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from feature_service.domain.blocks import Month, compute_block, fit_fingerprint, months_between
from feature_service.domain.catalogue import feature_set
from feature_service.domain.feature import Feature
from feature_service.store import Store
from feature_service.use_cases.gathering import Roles, monthly_bars
from feature_service.use_cases.making import Making, numbers_of, past_hash, present_blocks
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import BuildFeatures
from shared.contracts.progress import Progress
from shared.errors import NotFound
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
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
        pinned = self._store.bars(*(one.symbol for one in requests))
        for request in requests:
            feature_set(request.feature_set)
            _wanted_months(request, pinned.months(request.symbol))
        return self._queue.submit([_submission(request) for request in requests])

    def build(
        self, request: BuildFeatures, job_id: int, progress: Progress, still_mine: Callable[[Connection], None]
    ) -> dict[str, Any]:
        """Make the blocks of `request` that do not exist yet and return the job's result.

        A block exists when the registry knows it, the lake holds that very content, and the bars it was made of
        are unchanged: the same files, or other files with the same rows where it reads. One that another build is
        making is left to it, and taken up once it is there. Raises NotFound when the symbol has no bars in the window.
        """
        features, symbol = feature_set(request.feature_set), request.symbol
        making = Making(self._store, self._roles, features, symbol, job_id, still_mine)
        months = _wanted_months(request, making.bars.pinned.months(symbol))
        making.bring(months, progress)
        return {
            "feature_set": features.id,
            "symbol": symbol,
            "months": len(months),
            "reused": len(months) - len(making.built) - making.empty,
            "empty": making.empty,
            "rows": sum(block.rows for block in making.built),
            "built": [block.as_json() for block in sorted(making.built, key=lambda one: one.month)],
            "confirmed": [block.as_json() for block in making.confirmed],
            "fits": [asdict(fit) for fit in making.fits],
            "fits_reused": making.fits_reused,
            "definitions": [_definition(one) for one in features.features],
        }

    def replay(self, symbol: str, name: str) -> Replay:
        """Compute the first half of the newest block as it was known then, and compare it with what is stored.

        Raises NotFound when nothing is built.
        """
        features = feature_set(name)
        present = present_blocks(self._store, features, symbol)
        if not present:
            raise NotFound(f"no features of {features.id} are built for {symbol}: POST /features/build")
        block = present[max(present)]
        month = Month.parse(block.month)
        bars = monthly_bars(self._store, self._roles, features, symbol)
        if block.bars_version != bars.version(features, block.reads, month):
            return Replay(month=block.month, rows=0, agrees=None)
        gathered = bars.gather(features, symbol, month)
        known = gathered.bars.head(max(1, gathered.bars.height // 2))
        until = known["ts"][-1]
        fits = {fit.name: self._store.fit(fit_fingerprint(fit, past_hash(fit, gathered))) for fit in features.fits}
        again = compute_block(
            features,
            symbol,
            gathered.before,
            known,
            {role: frame.filter(pl.col("ts") <= until) for role, frame in gathered.context.items()},
            {one: numbers_of(row) for one, row in fits.items() if row is not None and row.numbers is not None},
            gathered.splits,
        )
        stored = self._store.read(features.id, symbol, month.start, until + timedelta(minutes=1), features.columns)
        same = again.select(stored.columns).equals(stored, null_equal=True)
        return Replay(month=block.month, rows=known.height, agrees=same)


@dataclass(frozen=True)
class Replay:
    """Whether a block's first `rows`, computed from what was known then, are what is stored; None: bars changed."""

    month: str
    rows: int
    agrees: bool | None


def _wanted_months(request: BuildFeatures, have: Sequence[Month]) -> list[Month]:
    window = months_between(request.window.start_utc, request.window.end_utc)
    wanted = [month for month in window if month in set(have)]
    if not wanted:
        raise NotFound(
            f"there are no bars of {request.symbol} from {request.window.start:%Y-%m-%d} to "
            f"{request.window.end:%Y-%m-%d}: ingest or import its minutes first"
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
