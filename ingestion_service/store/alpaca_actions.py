"""Splits, dividends and renames from Alpaca. Imports alpaca-py, as `store.alpaca` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
from alpaca.data.enums import CorporateActionsType
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.requests import CorporateActionsRequest

from ingestion_service.domain.told_actions import told_actions
from shared.errors import InvalidInput

_TYPES = [
    CorporateActionsType.FORWARD_SPLIT,
    CorporateActionsType.REVERSE_SPLIT,
    CorporateActionsType.STOCK_DIVIDEND,
    CorporateActionsType.CASH_DIVIDEND,
    CorporateActionsType.NAME_CHANGE,
]


def fetch_actions(client: CorporateActionsClient, source: str, symbol: str, start: date, end: date) -> pl.DataFrame:
    """Return the actions of `symbol` with an ex-date in [start, end). `client` gives raw data."""
    asked = CorporateActionsRequest(symbols=[symbol], types=_TYPES, start=start, end=end - timedelta(days=1))
    answer = client.get_corporate_actions(asked)
    found: Mapping[str, Sequence[Mapping[str, Any]]] = answer if isinstance(answer, dict) else {}
    try:
        return told_actions(
            symbol,
            source,
            splits=[
                *((_day(row["ex_date"]), float(row["new_rate"]) / float(row["old_rate"])) for row in _splits(found)),
                # shares paid as a dividend are a split by another name
                *((_day(row["ex_date"]), 1 + float(row["rate"])) for row in found.get("stock_dividends") or []),
            ],
            dividends=[(_day(row["ex_date"]), float(row["rate"])) for row in found.get("cash_dividends") or []],
            renames=[
                (_day(row["process_date"]), str(row["old_symbol"]))
                for row in found.get("name_changes") or []
                if row["new_symbol"] == symbol and row["old_symbol"] != symbol
            ],
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InvalidInput(f"{source}: corporate actions of {symbol} cannot be read ({error!r})") from error


def _splits(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    return [*(found.get("forward_splits") or []), *(found.get("reverse_splits") or [])]


def _day(text: str) -> date:
    return date.fromisoformat(text)
