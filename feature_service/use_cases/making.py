"""Making blocks: one build's share of them, each made by one build at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

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

#: between looks at months that other builds are making
_PAUSE_S = 0.1
#: a month that another build has been making for so long is made here too: its worker hangs, or its machine is gone
_PATIENCE_S = 120.0


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

    def bring(self, months: Sequence[Month], progress: Progress) -> None:
        """Make what is missing of `months`; what other builds are making comes last, to be found then."""
        waiting = deque(month for month in months if not self._is_there(self._found.get(str(month)), month))
        refused, patience = 0, time.monotonic() + _PATIENCE_S
        while waiting:
            month = waiting.popleft()
            progress.advanced(1 - (len(waiting) + 1) / len(months), f"{self._symbol} {month}")
            if self._brought(month, insist=time.monotonic() > patience):
                refused, patience = 0, time.monotonic() + _PATIENCE_S
                continue
            waiting.append(month)
            refused += 1
            if refused == len(waiting):
                refused = 0
                time.sleep(_PAUSE_S)

    def _brought(self, month: Month, *, insist: bool) -> bool:
        """Make a block unless it was made meanwhile; return False, having done nothing, while another build does."""
        with self._store.turn(self._features.id, self._symbol, str(month)) as turn:
            if not (turn.mine or insist):
                return False
            found = present_blocks(self._store, self._features, self._symbol, month=str(month)).get(str(month))
            if found != self._found.get(str(month)):  # it may be of newer bars than those pinned when the build began
                self.bars = monthly_bars(self._store, self._roles, self._features, self._symbol)
            if not self._is_there(found, month):
                self._make(month, found, turn)
        return True

    def _is_there(self, block: Block | None, month: Month) -> bool:
        """Return whether a block was made of the very bars that are there."""
        if block is None or block.bars_version != self.bars.version(self._features, block.reads, month):
            return False
        if block.job_id == self._job_id:  # by an attempt that was cut short
            self.built.append(block)
        return True

    def _make(self, month: Month, known: Block | None, turn: Turn) -> None:
        features, symbol = self._features, self._symbol
        gathered = self.bars.gather(features, symbol, month)
        if gathered.bars.is_empty():  # a month of nothing but filled or after-hours bars
            return
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
            return
        before = len(self.fits)
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
        block = Block(
            **seen,
            feature_set=features.id,
            symbol=symbol,
            month=str(month),
            fingerprint=block_fingerprint(features, symbol, month, bars_hash),
            bars_hash=bars_hash,
            content_hash=self._store.save_block(frame, self._still_mine),
            rows=frame.height,
            first_ts=frame["ts"][0],
            last_ts=frame["ts"][-1],
            job_id=self._job_id,
        )
        self._still_mine(turn.conn)
        self._store.register(turn.conn, block, self.fits[before:])
        self.built.append(block)

    def _fitted(self, fit: Fit, name: str, gathered: Gathered, month: Month) -> Fitted | None:
        """Return what an estimation left behind, made now only if nobody made it before."""
        row = self._store.fit(name)
        if row is None:
            numbers = estimate(fit, gathered.past, gathered.past_context)
            kept = None if numbers is None else {one: values.tolist() for one, values in numbers.items()}
            row = FitRow(fingerprint=name, name=fit.name, symbol=self._symbol, month=str(month), numbers=kept)
            self.fits.append(row)
        else:
            self.fits_reused += 1
        return None if row.numbers is None else numbers_of(row)


def present_blocks(store: Store, features: FeatureSet, symbol: str, **month: str) -> dict[str, Block]:
    """Return by month the blocks that the registry knows and the lake holds; `month` names one."""
    hashes = store.content_hashes(features.id, symbol, **month)
    known = store.blocks(features.id, symbol, **month)
    return {month: block for month, block in known.items() if hashes.get(month) == block.content_hash}


def numbers_of(row: FitRow) -> Fitted:
    """Return what an estimation left behind, as arrays."""
    return {one: np.asarray(values) for one, values in (row.numbers or {}).items()}


def past_hash(fit: Fit, gathered: Gathered) -> str:
    """Return what names the bars that an estimation sees."""
    own = None if fit.of else content_hash(gathered.past.tail(fit.rows))
    context = {role: content_hash(frame.tail(fit.rows)) for role, frame in gathered.past_of(fit).items()}
    return fingerprint("past_read", bars=own, context=context)
