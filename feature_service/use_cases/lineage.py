"""Lineage: what built sets were made of, and who works with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from feature_service.domain.blocks import BEGINNING
from feature_service.store import Store, Training
from shared.contracts.identifiers import check_symbol
from shared.errors import Unavailable


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a set of one symbol was made of.

    reads : by symbol that has bars, the oldest month of them that may have taken part, "" for the beginning
    """

    blocks: int
    first_built: datetime | None
    last_built: datetime | None
    reads: dict[str, str]


class Lineage:
    """What went into built sets, and what came out of them: models, as the training service's registry tells."""

    def __init__(self, store: Store, training: Training) -> None:
        self._store = store
        self._training = training

    def origin(self, symbol: str, set_id: str) -> Origin:
        """Return what a set of `symbol` was made of; no blocks when nothing is built."""
        blocks = list(self._store.blocks(set_id, check_symbol(symbol)).values())
        reads: dict[str, str] = {}
        for block in blocks:
            for read in block.reads:
                reads[read["symbol"]] = min(read["since"], reads.get(read["symbol"], read["since"]))
        bars = self._store.bars(*reads)
        built = sorted(block.created_at for block in blocks if block.created_at is not None)
        return Origin(
            blocks=len(blocks),
            first_built=built[0] if built else None,
            last_built=built[-1] if built else None,
            reads={one: "" if since == str(BEGINNING) else since for one, since in reads.items() if bars.months(one)},
        )

    def models(self, *set_ids: str) -> dict[str, int] | None:
        """Return by set's id how many models were trained on it; None when the training service does not answer."""
        try:
            counts = self._training.models_by_set()
        except Unavailable:
            return None
        return {one: counts.get(one, 0) for one in set_ids}
