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
@click.option(
    "--axis", "axes", multiple=True, metavar="NAME=VALUE,...", help="Any field of a setting; repeat for more."
)
@click.option("--method", type=click.Choice(["exhaustive", "random", "guided"]), help="exhaustive unless said.")
@click.option("--trials", type=click.IntRange(1), help="How many a random or guided search tries; 500 unless said.")
@click.option("--seed", type=click.IntRange(0), help="Of a random or guided search.")
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
    axes: tuple[str, ...],
    method: str | None,
    trials: int | None,
    seed: int | None,
    home: Path,
    as_json: bool,
) -> None:
    """Simulate every model on every symbol under every setting, or some of them, and rank the results.

    Without --threshold, --hold-bars or --axis the usual grid is tried. Values of an axis are JSON; what is not JSON
    is text. Exit code 1 when any of it failed; what did not is on the leaderboard.

    \b
    Example:
      barsmith optimize batch --top 5 --symbol EDGE --symbol FLAT --start 2023-07-01 --end 2024-07-01
      barsmith optimize batch --top 5 --axis stop_loss=null,0.005,0.01 --axis side=long_flat,long_short
      barsmith optimize batch --top 20 --method guided --trials 400 --axis hold_bars=0,5,15,30,60
    """
    from barsmith.batches import run_batch, show_leaderboard
    from barsmith.remote import House, Progress, tell

    house = House(home)
    named = [house.model(name) for name in models]
    grid = {"threshold": thresholds, "hold_bars": hold_bars, **dict(_axis(text) for text in axes)}
    wish = {"models": named, "top": top, "symbols": symbols, "method": method, "trials": trials, "seed": seed}
    wish["axes"] = {name: values for name, values in grid.items() if values}
    given = {name: value for name, value in wish.items() if value not in (None, (), [], {})}
    found = run_batch(house, {**given, "start": start, "end": end}, Progress("optimize"))
    if as_json:
        tell(found, as_json=True)
    else:
        show_leaderboard(house.get("optimization", "/leaderboard", batch=found["fingerprint"]))
    if found["state"] != "COMPLETED":
        why = [
            f"\n  {one['model'][:12]} on {one['symbol']}: {one['error']}" for one in found["members"] if one["error"]
        ]
        raise click.ClickException(f"the batch is {found['state'].lower()}: {found['note']}{''.join(why)}")


def _axis(text: str) -> tuple[str, list[object]]:
    import json

    from shared.errors import InvalidInput

    name, equals, values = text.partition("=")
    if not equals or not values:
        raise InvalidInput(f"--axis {text!r}: write NAME=VALUE,VALUE as in stop_loss=null,0.01")
    read: list[object] = []
    for word in values.split(","):
        try:
            read.append(json.loads(word))
        except ValueError:
            read.append(word)
    return name.strip(), read


@optimize.command()
@click.option("--sort", default="-sharpe", show_default=True, help="Column to sort by; with - the highest first.")
@click.option("--batch", "batch_name", help="Only this batch's (its fingerprint).")
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="Filter, as in min_trades=20 or side=long_flat.")
@home_option
@json_option
def leaderboard(sort: str, batch_name: str | None, where: tuple[str, ...], home: Path, as_json: bool) -> None:
    """Show the ranked results of all batches.

    \b
    Example:
      barsmith optimize leaderboard --sort -sqn100 --where min_trades=20 --where min_plateau=0.5
    """
    from barsmith.batches import show_leaderboard
    from barsmith.remote import House, tell

    filters = {name: value for name, _, value in (text.partition("=") for text in where)}
    rows = House(home).get("optimization", "/leaderboard", **filters, sort=sort, batch=batch_name)
    if as_json:
        tell(rows, as_json=True)
    else:
        show_leaderboard(rows)
