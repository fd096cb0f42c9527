"""Splits, dividends and renames: kept, shown, read from files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from ingestion_service.domain.actions import Kind
from ingestion_service.store.actions import read_factor_files
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases.series import Reader
from shared.contracts.datasets import CORPORATE_ACTIONS
from shared.errors import InvalidInput, NotFound

#: A listed share is split 50 for 1 and joined 1 for some thousands at most; further is a slip of the pen.
_FURTHEST_SPLIT = 10_000


@dataclass(frozen=True, kw_only=True)
class Action:
    """`value`: new shares for one old, or cash a share; `former`: the symbol before a rename.

    `factor`: what prices before a dividend are multiplied by, None: it follows from the close before.
    """

    kind: Kind
    ex_date: date
    value: float | None = None
    factor: float | None = None
    former: str | None = None
    source: str = "user"


class Actions:
    def __init__(self, store: BarStore) -> None:
        self._store = store.actions
        self._reader = Reader(store)

    def of(self, symbol: str) -> list[Action]:
        """Return the actions of a symbol, oldest first."""
        rows = self._store.of(symbol).sort("ex_date", "kind").drop("symbol")
        return [Action(**{**row, "kind": Kind(row["kind"])}) for row in rows.to_dicts()]

    def add(self, symbol: str, actions: list[Action]) -> list[Action]:
        """Keep actions and return all of the symbol's. Raises InvalidInput for one that cannot be."""
        splits = {one.ex_date: one.value for one in [*self.of(symbol), *actions] if one.kind is Kind.SPLIT}
        for action in actions:
            _check(symbol, action)
            self._check_payable(symbol, action, splits.get(action.ex_date) or 1.0)
        rows = [{**vars(action), "symbol": symbol, "kind": action.kind.value} for action in actions]
        self._store.save(pl.DataFrame(rows, schema=CORPORATE_ACTIONS.schema))
        return self.of(symbol)

    def remove(self, symbol: str, kind: Kind, ex_date: date) -> None:
        """Take an action out. Raises NotFound when there is none."""
        if not self._store.remove(symbol, kind.value, ex_date):
            raise NotFound(f"{symbol} has no {kind.value} on {ex_date.isoformat()}: GET /actions/{symbol} lists them")

    def import_factors(self, path: str, glob: str | None) -> dict[str, int]:
        """Keep the actions of factor files, all or none, and return how many each symbol has in them.

        Raises InvalidInput naming the file that cannot be used.
        """
        found = read_factor_files(path, glob)
        self._store.save(pl.concat(found.values()))
        return {symbol: actions.height for symbol, actions in found.items()}

    def _check_payable(self, symbol: str, action: Action, split: float) -> None:
        """Raise InvalidInput for a dividend that is not below the close before it; `split` is of the same day."""
        if action.kind is not Kind.DIVIDEND or action.factor is not None or action.value is None:
            return
        close = self._reader.close_before(symbol, action.ex_date)
        if close is not None and action.value * split >= close:
            new = "" if split == 1 else f", {action.value * split:g} for one before the split of that day,"
            raise InvalidInput(
                f"dividend of {symbol} on {action.ex_date}: {action.value:g} a share{new} is not below the close "
                f"before it, {close:g}, so no price can be adjusted for it. Check the value; if it is right, give the "
                "factor that earlier prices are to be multiplied by"
            )


def _check(symbol: str, action: Action) -> None:
    if action.kind is Kind.RENAME:
        if action.former is None or action.former == symbol:
            raise InvalidInput(f"rename of {symbol}: `former` must be the other symbol it had before")
    elif action.value is None or not 0 < action.value < float("inf"):
        raise InvalidInput(f"{action.kind.value} of {symbol} on {action.ex_date}: value {action.value} is not positive")
    elif action.kind is Kind.SPLIT and not 1 / _FURTHEST_SPLIT <= action.value <= _FURTHEST_SPLIT:
        raise InvalidInput(
            f"split of {symbol} on {action.ex_date}: {action.value:g} new shares for one old is further than splits "
            f"go: use a value from {1 / _FURTHEST_SPLIT:g} to {_FURTHEST_SPLIT:,} (a split of 3 for 2 is 1.5)"
        )
    if action.factor is not None and not 0 < action.factor <= 1:
        raise InvalidInput(f"dividend of {symbol} on {action.ex_date}: factor {action.factor} must be in (0, 1]")
