"""Corporate actions as providers tell them, brought into the one form in which they are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from math import prod

import polars as pl

from ingestion_service.domain.actions import Kind
from shared.contracts.datasets import CORPORATE_ACTIONS

Dated = Iterable[tuple[date, float]]
#: Providers that give dividends adjusted give them to so many decimals; what is put back is rounded to fewer.
_DECIMALS = 6


def told_actions(
    symbol: str, source: str, *, splits: Dated = (), dividends: Dated = (), renames: Iterable[tuple[date, str]] = ()
) -> pl.DataFrame:
    """Return actions in the schema CORPORATE_ACTIONS, in order.

    splits    : ex-date and new shares for one old; several of one day are multiplied
    dividends : ex-date and cash a share as it was paid; several of one day are added
    renames   : first day of the new name, and the former one
    """
    ratios, cash = defaultdict[date, list[float]](list), defaultdict[date, list[float]](list)
    for ex_date, ratio in splits:
        ratios[ex_date].append(ratio)
    for ex_date, paid in dividends:
        cash[ex_date].append(paid)
    rows = [
        *((Kind.SPLIT, ex_date, prod(found), None) for ex_date, found in ratios.items()),
        *((Kind.DIVIDEND, ex_date, round(sum(found), _DECIMALS), None) for ex_date, found in cash.items()),
        *((Kind.RENAME, ex_date, None, former) for ex_date, former in dict(renames).items()),
    ]
    return pl.DataFrame(
        [
            {
                "symbol": symbol,
                "kind": kind.value,
                "ex_date": ex_date,
                "value": value,
                "former": former,
                "source": source,
            }
            for kind, ex_date, value, former in rows
        ],
        schema=CORPORATE_ACTIONS.schema,
    ).sort("ex_date", "kind")


def as_paid(dividends: Dated, splits: Dated) -> list[tuple[date, float]]:
    """Return dividends as they were paid, from dividends adjusted for every split after them."""
    known = list(splits)
    return [
        (ex_date, round(amount * prod(ratio for split, ratio in known if split > ex_date), _DECIMALS))
        for ex_date, amount in dividends
    ]
