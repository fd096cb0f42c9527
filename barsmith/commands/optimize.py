"""`barsmith optimize`: many models over many symbols, ranked."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option, json_option, window_options


@click.group()
def optimize() -> None:
    r"""Run a batch over models, symbols and thresholds; read the leaderboard.

    \b
    Example:
      barsmith optimize batch --top 5 --symbol EDGE --start 2023-07-01 --end 2024-07-01
    """


@optimize.command()
@click.option("--model", "models", multiple=True, help="Fingerprint of a model; repeat for more.")
@click.option("--top", type=click.IntRange(1), help="Instead of --model: the best so many models.")
@click.option("--symbol", "symbols", multiple=True, required=True, help="Repeat for more.")
@window_options
@click.option("--threshold", "thresholds", type=float, multiple=True, default=(0.0,), help="Repeat for a grid.")
@home_option
@json_option
def batch(
    models: tuple[str, ...],
    top: int | None,
    symbols: tuple[str, ...],
    start: str,
    end: str,
    thresholds: tuple[float, ...],
    home: Path,
    as_json: bool,
) -> None:
    r"""Simulate every model on every symbol under every threshold, and rank the results.

    \b
    Example:
      barsmith optimize batch --top 5 --symbol EDGE --symbol FLAT --start 2023-07-01 --end 2024-07-01
    """
    from barsmith.batches import run_batch
    from barsmith.remote import House, tell
    from shared.errors import InvalidInput

    if bool(models) == bool(top):
        raise InvalidInput("name the models with --model, or take the best with --top N: one of the two")
    body = {
        **({"models": list(models)} if models else {"top": top}),
        "symbols": list(symbols),
        "window": {"start": start, "end": end},
        "thresholds": list(thresholds),
    }
    tell(run_batch(House(home), body), as_json=as_json)


@optimize.command()
@click.option("--sort", help="Column to sort by.")
@home_option
@json_option
def leaderboard(sort: str | None, home: Path, as_json: bool) -> None:
    r"""Show the ranked results of all batches.

    \b
    Example:
      barsmith optimize leaderboard
    """
    from barsmith.remote import House, tell

    tell(House(home).get("optimization", "/leaderboard", sort=sort), as_json=as_json)
