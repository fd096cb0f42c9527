"""Starting a batch and following it to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barsmith.remote import House, Progress

#: columns of the leaderboard that fit a terminal
LEADERBOARD = [
    "model",
    "symbol",
    "threshold",
    "hold_bars",
    "sharpe",
    "plateau",
    "sqn100",
    "total_return",
    "max_drawdown",
    "trades",
    "flag",
]
_GOING = {"PENDING", "RUNNING"}


def run_batch(house: House, body: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Start a batch, follow it, and return it with its members and its line about luck."""
    name = house.post("optimization", "/batches", body)["batch"]

    def look() -> dict[str, Any]:
        batch = house.get("optimization", f"/batches/{name}")
        return {**batch, "progress": batch["done"] / batch["total"] if batch["total"] else 0.0}

    return house.watch(look, lambda batch: batch["state"] not in _GOING, progress)
