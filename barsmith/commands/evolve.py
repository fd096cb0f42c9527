"""`barsmith evolve`: the search."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option, json_option


@click.group()
def evolve() -> None:
    """Search for a model that earns its promotion; see runs, promotions and lineage.

    \b
    Example:
      barsmith evolve start EDGE --generations 3
    """


@evolve.command()
@click.argument("symbols", nargs=-1, required=True)
@click.option("--generations", type=click.IntRange(1, 50), default=3, show_default=True)
@click.option("--survivors", type=click.IntRange(1, 50), default=3, show_default=True, help="Parents per generation.")
@click.option(
    "--horizon", "horizons", type=click.IntRange(1, 389), multiple=True, help="Bars ahead to predict; repeat for more."
)
@click.option("--set", "feature_set", default="core", show_default=True, help="Feature set.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True)
@click.option("--key", help="Name of the request: sent again with the same key it starts nothing new.")
@home_option
@json_option
def start(  # noqa: PLR0913, PLR0917 - one option each
    symbols: tuple[str, ...],
    generations: int,
    survivors: int,
    horizons: tuple[int, ...],
    feature_set: str,
    seed: int,
    key: str | None,
    home: Path,
    as_json: bool,
) -> None:
    """Search each of SYMBOLS over generations, and judge the best on sealed history.

    Exit code 1 when a search could not go on; "0 promoted" is a result, not a failure.

    \b
    Example:
      barsmith evolve start EDGE FLAT --generations 2
    """
    from barsmith.evolution import evolve as follow
    from barsmith.remote import House, Progress, tell

    body = {
        "symbols": symbols,
        "generations": generations,
        "survivors": survivors,
        "feature_set": feature_set,
        "seed": seed,
        "key": key,
        **({"horizons": horizons} if horizons else {}),
    }
    found = follow(House(home), body, Progress("evolve"))
    tell(found, as_json=as_json, columns=["id", "symbol", "state", "funnel.trials", "funnel.confirmed", "sentence"])
    if any(run["state"] != "completed" for run in found):
        raise SystemExit(1)


@evolve.command()
@home_option
@json_option
def runs(home: Path, as_json: bool) -> None:
    """List the searches.

    \b
    Example:
      barsmith evolve runs
    """
    from barsmith.remote import House, tell

    columns = ["id", "symbol", "state", "stage", "generation", "funnel.trials", "funnel.confirmed", "sentence"]
    tell(House(home).get("orchestrator", "/runs"), as_json=as_json, columns=columns)


@evolve.command()
@home_option
@json_option
def promoted(home: Path, as_json: bool) -> None:
    """List the models that earned their promotion.

    \b
    Example:
      barsmith evolve promoted --json
    """
    from barsmith.remote import House, tell

    columns = ["symbol", "place", "kind", "model", "run", "loosened", "promoted_at"]
    tell(House(home).get("orchestrator", "/promoted"), as_json=as_json, columns=columns)


@evolve.command()
@click.argument("model")
@home_option
def lineage(model: str, home: Path) -> None:
    """Show what MODEL (its fingerprint, or how it begins) came from and what came from it, as JSON.

    \b
    Example:
      barsmith evolve lineage MODEL
    """
    from barsmith.remote import House, tell

    house = House(home)
    tell(house.get("orchestrator", f"/lineage/{house.model(model)}"), as_json=True)
