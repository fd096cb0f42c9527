"""Starting a batch and following it to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from barsmith.remote import House, Progress, table

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
    "terms",
]
_GOING = {"PENDING", "RUNNING"}


def show_leaderboard(answer: Mapping[str, Any]) -> None:
    """Print rows of the leaderboard, and under which terms each was tried; a warning where these differ."""
    rows = answer["items"]
    click.echo(table(rows, LEADERBOARD))
    shown = {row["terms"] for row in rows}
    for group in answer["groups"]:
        if group["terms"] in shown:
            click.echo(f"terms {group['terms']}: {_terms(group)}")
    if len(shown) > 1:
        click.echo("! different windows and costs are ranked together: --where terms=KEY shows one of them", err=True)


def _terms(group: Mapping[str, Any]) -> str:
    if group["costs"] is None:
        return "window and costs were not kept"
    paid = ", ".join(f"{name} {value:g}" for name, value in group["costs"].items()) or "none"
    return f"{group['first_day']} to {group['last_day']}, cash {group['starting_cash']:g}, costs: {paid}"


def run_batch(house: House, body: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Start a batch, follow it, and return it with its members and its line about luck."""
    name = house.post("optimization", "/batches", body)["batch"]

    def look() -> dict[str, Any]:
        batch = house.get("optimization", f"/batches/{name}")
        return {**batch, "progress": batch["done"] / batch["total"] if batch["total"] else 0.0}

    return house.watch(look, lambda batch: batch["state"] not in _GOING, progress)
