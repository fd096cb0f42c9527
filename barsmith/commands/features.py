"""`barsmith features`: causal features from bars."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.commands.leak_check import leak_check
from barsmith.options import home_option, json_option, window_options


@click.group()
def features() -> None:
    """Build features, see what can be and what has been built.

    \b
    Example:
      barsmith features build SPY QQQ --start 2023-01-01 --end 2024-01-01
    """


@features.command()
@click.argument("symbols", nargs=-1, required=True)
@window_options
@click.option("--set", "feature_set", default="core", show_default=True, help="Feature set.")
@home_option
@json_option
def build(symbols: tuple[str, ...], start: str, end: str, feature_set: str, home: Path, as_json: bool) -> None:
    """Compute a feature set for SYMBOLS; what exists already is reused.

    \b
    Example:
      barsmith features build EDGE FLAT --start 2023-01-01 --end 2024-01-01
    """
    from barsmith.remote import House, Progress, tell

    body = {"symbols": list(symbols), "window": {"start": start, "end": end}, "feature_set": feature_set}
    jobs = House(home).run("features", "/features/build", body, Progress("features"))
    columns = ["symbol", "feature_set", "rows", "months", "reused"]
    tell([job["result"] for job in jobs], as_json=as_json, columns=columns)


@features.command()
@home_option
@json_option
def catalogue(home: Path, as_json: bool) -> None:
    """Show every feature with its definition.

    \b
    Example:
      barsmith features catalogue
    """
    from barsmith.remote import House, tell

    columns = ["name", "group", "warm_up", "formula"]
    tell(House(home).get("features", "/catalogue"), as_json=as_json, columns=columns)


@features.command()
@home_option
@json_option
def coverage(home: Path, as_json: bool) -> None:
    """Show what has been built.

    \b
    Example:
      barsmith features coverage
    """
    from barsmith.remote import House, tell

    tell(House(home).get("features", "/coverage"), as_json=as_json)


features.add_command(leak_check)
