"""`barsmith demo`: one complete run."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import workers_option


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of bar files to import instead of the simulated market; its SPY is searched.",
)
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Keep and reuse this data folder.")
@click.option("--keep", is_flag=True, help="Stay up afterwards, to look around; Ctrl-C ends it.")
@workers_option
def demo(data: Path | None, home: Path | None, keep: bool, workers: int) -> None:
    """Start everything and take one search through all of it: ingest, features, evolve, optimize.

    A fresh folder (.barsmith/demo) is used each time unless --home names another. Ends by itself with code 0.

    \b
    Example:
      barsmith demo --keep
      barsmith demo --data ~/bars
    """
    from barsmith.demo.show import run

    run(data=data, home=home, keep=keep, workers=workers)
