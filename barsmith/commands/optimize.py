"""`barsmith optimize`: many models over many symbols, ranked."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option, json_option, window_options


@click.group()
def optimize() -> None:
    """Run a batch over models, symbols and thresholds; read the leaderboard.

    \b
    Example:
      barsmith optimize batch --top 5 --symbol EDGE --start 2023-07-01 --end 2024-07-01
    """


@optimize.command()
@click.option("--model", "models", multiple=True, help="Fingerprint of a model, or how it begins; repeat for more.")
@click.option("--top", type=click.IntRange(1), help="Instead of --model: the best so many models.")
@click.option("--symbol", "symbols", multiple=True, help="Repeat for more; without it each model's own.")
@window_options
@click.option("--threshold", "thresholds", type=float, multiple=True, help="Repeat for a grid.")
@click.option("--hold-bars", type=int, multiple=True, help="Repeat for a grid.")
@home_option
@json_option
def batch(  # noqa: PLR0913, PLR0917 - one option each
    models: tuple[str, ...],
    top: int | None,
    symbols: tuple[str, ...],
    start: str,
    end: str,
    thresholds: tuple[float, ...],
    hold_bars: tuple[int, ...],
    home: Path,
    as_json: bool,
) -> None:
    """Simulate every model on every symbol under every setting, and rank the results.

    Exit code 1 when any of it failed; what did not is on the leaderboard.

    \b
    Example:
      barsmith optimize batch --top 5 --symbol EDGE --symbol FLAT --start 2023-07-01 --end 2024-07-01
    """
    from barsmith.batches import LEADERBOARD, run_batch
    from barsmith.remote import House, Progress, tell

    house = House(home)
    named = [house.model(name) for name in models]
    grid = {"models": named, "top": top, "symbols": symbols, "thresholds": thresholds, "hold_bars": hold_bars}
    given = {name: value for name, value in grid.items() if value}
    found = run_batch(house, {**given, "start": start, "end": end}, Progress("optimize"))
    if as_json:
        tell(found, as_json=True)
    else:
        tell(house.get("optimization", "/leaderboard", batch=found["fingerprint"]), as_json=False, columns=LEADERBOARD)
    if found["state"] != "COMPLETED":
        why = [
            f"\n  {one['model'][:12]} on {one['symbol']}: {one['error']}" for one in found["members"] if one["error"]
        ]
        raise click.ClickException(f"the batch is {found['state'].lower()}: {found['note']}{''.join(why)}")


@optimize.command()
@click.option("--sort", default="-sharpe", show_default=True, help="Column to sort by; with - the highest first.")
@click.option("--batch", "batch_name", help="Only this batch's (its fingerprint).")
@home_option
@json_option
def leaderboard(sort: str, batch_name: str | None, home: Path, as_json: bool) -> None:
    """Show the ranked results of all batches.

    \b
    Example:
      barsmith optimize leaderboard --sort -sqn100
    """
    from barsmith.batches import LEADERBOARD
    from barsmith.remote import House, tell

    rows = House(home).get("optimization", "/leaderboard", sort=sort, batch=batch_name)
    tell(rows, as_json=as_json, columns=LEADERBOARD)
