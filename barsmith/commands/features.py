"""`barsmith features`: causal features from bars."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.commands.leak_check import leak_check
from barsmith.options import home_option, instant_option, json_option


@click.group()
def features() -> None:
    """Build features, see what can be and what has been built.

    \b
    Example:
      barsmith features build SPY QQQ --start 2023-01-01 --end 2024-01-01
    """


@features.command()
@click.argument("symbols", nargs=-1, required=True)
@instant_option("--start", "First instant; with --end. All bars there are when left out.")
@instant_option("--end", "End of the span, not included.")
@click.option("--set", "feature_set", default="core", show_default=True, help="Feature set: core, full or a group.")
@home_option
@json_option
def build(
    symbols: tuple[str, ...], start: str | None, end: str | None, feature_set: str, home: Path, as_json: bool
) -> None:
    """Compute a feature set for SYMBOLS; what exists already is reused.

    \b
    Example:
      barsmith features build SPY QQQ
      barsmith features build EDGE FLAT --start 2023-01-01 --end 2024-01-01 --set full
    """
    from barsmith.remote import House, Progress, tell

    if (start is None) != (end is None):
        raise click.UsageError("give --start and --end, or neither")
    body: dict[str, object] = {"symbols": list(symbols), "feature_set": feature_set}
    if start:
        body["window"] = {"start": start, "end": end}
    jobs = House(home).run("features", "/features/build", body, Progress("features"))
    columns = ["symbol", "feature_set", "rows", "months", "reused", "empty"]
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
@click.argument("symbol")
@click.option("--set", "feature_set", help="Feature set; the first that is built when left out.")
@click.option("--horizon", type=click.IntRange(1, 389), default=15, show_default=True, help="Bars ahead.")
@home_option
@json_option
def describe(symbol: str, feature_set: str | None, horizon: int, home: Path, as_json: bool) -> None:
    """Show how complete, stable and related to what follows each built column of SYMBOL is.

    psi above 0.25 has drifted. ic is the rank correlation with the return over the next bars: a description of the
    past, not a test.

    \b
    Example:
      barsmith features describe SPY --set full --horizon 30
    """
    from barsmith.remote import House, tell

    house = House(home)
    feature_set = feature_set or house.get("features", "/columns", symbol=symbol)[0]["feature_set"]
    found = house.get("features", f"/sets/{feature_set}/statistics", symbol=symbol, horizon=horizon)
    columns = ["name", "group", "missing", "mean", "sd", "psi", "ic", "ic_t", "cluster"]
    tell(found if as_json else found["columns"], as_json=as_json, columns=columns)


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
