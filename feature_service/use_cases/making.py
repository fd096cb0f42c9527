"""Making blocks: one build's share of them, each made by one build at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from feature_service.domain.bars import Fitted
from feature_service.domain.blocks import Month, block_fingerprint, compute_block, estimate, fit_fingerprint
from feature_service.domain.catalogue import FeatureSet
from feature_service.domain.feature import Fit
from feature_service.domain.records import Block, FitRow
from feature_service.store import Store, Turn
from feature_service.use_cases.gathering import Gathered, Roles, monthly_bars
from shared.contracts.identifiers import fingerprint
from shared.contracts.progress import Progress
from shared.storage.lake.frames import content_hash
from shared.storage.postgres import Connection

#: months that are made, saved and made known together: their files wait for the disk at one time, not in turn
_TOGETHER = 4
#: between looks at months that other builds are making
_PAUSE_S = 0.1
#: a month that another build has been making for so long is made here too: its worker hangs, or its machine is gone
_PATIENCE_S = 120.0
#: the same of an estimation, which takes a second at most
_FIT_PATIENCE_S = 10.0


class Making:
    """One build in progress: what it found, and what it made."""

    def __init__(
        self,
        store: Store,
        roles: Roles,
        features: FeatureSet,
        symbol: str,
        job_id: int,
        still_mine: Callable[[Connection], None],
    ) -> None:
        self._store, self._roles = store, roles
        self._features, self._symbol = features, symbol
        self._job_id, self._still_mine = job_id, still_mine
        # before the bars, so that a block is never of newer bars than these without having changed since
        self._found = present_blocks(store, features, symbol)
        self.bars = monthly_bars(store, roles, features, symbol)
        self.built = list[Block]()
        self.confirmed = list[Block]()
        self.fits = list[FitRow]()
        self.fits_reused = 0
        #: months without a usable bar: of nothing but filled ones, or outside regular hours
        self.empty = 0

    def bring(self, months: Sequence[Month], progress: Progress) -> None:
        """Make what is missing of `months`; what other builds are making comes last, to be found then."""
        waiting = deque(month for month in months if not self._is_there(self._found.get(str(month)), month))
        refused, patience = 0, time.monotonic() + _PATIENCE_S
        while waiting:
            some = [waiting.popleft() for _ in range(min(_TOGETHER, len(waiting)))]
            progress.advanced(1 - (len(waiting) + len(some)) / len(months), f"{self._symbol} {some[0]}")
            left = self._left_over(some, insist=time.monotonic() > patience)
            waiting.extend(left)
            if len(left) < len(some):
                refused, patience = 0, time.monotonic() + _PATIENCE_S
                continue
            refused += len(left)
            if refused >= len(waiting):
                refused = 0
                time.sleep(_PAUSE_S)

    def _left_over(self, months: Sequence[Month], *, insist: bool) -> list[Month]:
        """Make blocks unless they were made meanwhile; return those left alone because another build makes them."""
        with self._store.turn(self._features.id, self._symbol, [str(month) for month in months]) as turn:
            mine = [month for month in months if insist or str(month) in turn.mine]
            if mine:
                self._bring_here(mine, turn)
        return [month for month in months if month not in mine]

    def _bring_here(self, months: Sequence[Month], turn: Turn) -> None:
        names = [str(month) for month in months]
        found = present_blocks(self._store, self._features, self._symbol, names)
        # one may be of newer bars than those pinned when the build began
        if any(found.get(name) != self._found.get(name) for name in names):
            self.bars = monthly_bars(self._store, self._roles, self._features, self._symbol)
        made = [
            self._make(month, found.get(str(month)))
            for month in months
            if not self._is_there(found.get(str(month)), month)
        ]
        new = [one for one in made if one is not None]
        if not new:
            return
        contents = self._store.save_blocks([frame for _, frame in new], self._still_mine)
        blocks = [Block(**told, content_hash=contents[told["month"]]) for told, _ in new]
        self._still_mine(turn.conn)
        self._store.register(turn.conn, blocks)
        self.built += blocks

    def _is_there(self, block: Block | None, month: Month) -> bool:
        """Return whether a block was made of the very bars that are there."""
        if block is None or block.bars_version != self.bars.version(self._features, block.reads, month):
            return False
        if block.job_id == self._job_id:  # by an attempt that was cut short
            self.built.append(block)
        return True

    def _make(self, month: Month, known: Block | None) -> tuple[dict[str, Any], pl.DataFrame] | None:
        """Return what a block is made known by, but for its content's hash, and its rows; None without a new one."""
        features, symbol = self._features, self._symbol
        gathered = self.bars.gather(features, symbol, month)
        if gathered.bars.is_empty():
            self.empty += 1
            return None
        names = {fit.name: fit_fingerprint(fit, past_hash(fit, gathered)) for fit in features.fits}
        bars_hash = fingerprint("block_reads", bars=gathered.bars_hash, fits=names)
        version = self.bars.version(features, gathered.reads, month)
        seen = {
            "bars_version": version,
            "bars_from": Month.parse(gathered.reads[0]["since"]).start,
            "reads": gathered.reads,
        }
        if known is not None and known.bars_hash == bars_hash:
            self.confirmed.append(Block(**{**vars(known), **seen}))
            return None
        fits = {fit.name: self._fitted(fit, names[fit.name], gathered, month) for fit in features.fits}
        frame = compute_block(
            features,
            symbol,
            gathered.before,
            gathered.bars,
            gathered.context,
            {name: numbers for name, numbers in fits.items() if numbers is not None},
            gathered.splits,
        )
        told = {
            **seen,
            "feature_set": features.id,
            "symbol": symbol,
            "month": str(month),
            "fingerprint": block_fingerprint(features, symbol, month, bars_hash),
            "bars_hash": bars_hash,
            "rows": frame.height,
            "first_ts": frame["ts"][0],
            "last_ts": frame["ts"][-1],
            "job_id": self._job_id,
        }
        return told, frame

    def _fitted(self, fit: Fit, name: str, gathered: Gathered, month: Month) -> Fitted | None:
        """Return what an estimation left behind, made by one build for all that need it."""
        row, patience = self._store.fit(name), time.monotonic() + _FIT_PATIENCE_S
        self.fits_reused += row is not None
        while row is None:
            with self._store.turn_at_fit(name) as turn:
                row = turn.known
                self.fits_reused += row is not None
                if row is None and (turn.mine or time.monotonic() > patience):
                    row = self._estimated(fit, name, gathered, month)
                    self._still_mine(turn.conn)
                    self._store.keep_fit(turn.conn, row, self._job_id)
                    self.fits.append(row)
            if row is None:
                time.sleep(_PAUSE_S)
        return None if row.numbers is None else numbers_of(row)

    def _estimated(self, fit: Fit, name: str, gathered: Gathered, month: Month) -> FitRow:
        numbers = estimate(fit, gathered.past, gathered.past_context)
        kept = None if numbers is None else {one: values.tolist() for one, values in numbers.items()}
        return FitRow(fingerprint=name, name=fit.name, symbol=self._symbol, month=str(month), numbers=kept)


def present_blocks(
    store: Store, features: FeatureSet, symbol: str, months: Sequence[str] | None = None
) -> dict[str, Block]:
    """Return by month the blocks that the registry knows and the lake holds, of all months or the named ones."""
    hashes = store.content_hashes(features.id, symbol, months)
    known = store.blocks(features.id, symbol, months)
    return {month: block for month, block in known.items() if hashes.get(month) == block.content_hash}


def numbers_of(row: FitRow) -> Fitted:
    """Return what an estimation left behind, as arrays."""
    return {one: np.asarray(values) for one, values in (row.numbers or {}).items()}


def past_hash(fit: Fit, gathered: Gathered) -> str:
    """Return what names the bars that an estimation sees."""
    own = None if fit.of else content_hash(gathered.past.tail(fit.rows))
    context = {role: content_hash(frame.tail(fit.rows)) for role, frame in gathered.past_of(fit).items()}
    return fingerprint("past_read", bars=own, context=context)
