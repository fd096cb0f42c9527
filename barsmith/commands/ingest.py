"""`barsmith ingest`: bars into the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from barsmith.commands.ingest_lists import quarantine, release, universe, unwatch, watch
from barsmith.options import home_option, json_option, window_options

timeframe_option = click.option(
    "--timeframe", type=click.Choice(("1m", "1d")), default="1m", show_default=True, help="Minutes, or whole days."
)


@click.group()
def ingest() -> None:
    """Fetch bars from a provider, import them from files, see what is there.

    \b
    Example:
      barsmith ingest bars EDGE QMKT --start 2023-01-01 --end 2024-01-01
      barsmith ingest files ~/bars --map Time=ts
    """


@ingest.command()
@click.argument("symbols", nargs=-1, required=True)
@window_options
@click.option("--provider", help="Whom to ask, several separated by commas; each symbol's chain if not given.")
@click.option("--refresh", is_flag=True, help="Ask again also for what the provider has answered already.")
@timeframe_option
@click.option("--together", is_flag=True, help="One job for all, with many symbols in a request: for many short spans.")
@home_option
@json_option
def bars(symbols: tuple[str, ...], together: bool, home: Path, as_json: bool, **asked: str | bool | None) -> None:
    """Fetch 1-minute bars of SYMBOLS from a provider, or daily bars of decades.

    \b
    Example:
      barsmith ingest bars EDGE --start 2023-01-01 --end 2024-01-01
      barsmith ingest bars IBM --start 1990-01-01 --end 2024-01-01 --timeframe 1d
    """
    from barsmith.remote import House, Progress, table, tell

    body = {"symbols": list(symbols), **asked} | ({"together": True} if together else {})
    jobs = House(home).run("ingestion", "/ingest", body, Progress("ingest"))
    columns = ["symbols", "rows", "stored"] if together else ["symbol", "provider", "rows", "stored", "reused"]
    results = [job["result"] for job in jobs]
    failed = [{"failed": symbol, "why": why} for result in results for symbol, why in result.get("failed", {}).items()]
    tell(results, as_json=as_json, columns=columns)
    if not as_json:
        _say_refused(results)
    if failed and not as_json:
        click.echo(f"\n{table(failed, [])}")


@ingest.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--glob", "pattern", help='Which files of a folder, e.g. "SPY*.parquet".')
@click.option("--map", "mapping", multiple=True, metavar="THEIRS=OURS", help="Column of the file = column of ours.")
@click.option("--symbol", help="Symbol of all rows, when no column says it; else the file's name is taken.")
@timeframe_option
@click.option("--timezone", help="Zone of timestamps that carry none, e.g. America/New_York.")
@home_option
@json_option
def files(
    path: Path,
    pattern: str | None,
    mapping: tuple[str, ...],
    symbol: str | None,
    timezone: str | None,
    timeframe: str,
    home: Path,
    as_json: bool,
) -> None:
    """Import bars from a CSV or Parquet file, or a folder of them.

    \b
    Example:
      barsmith ingest files spy.csv --symbol SPY --map Time=ts --map Close=close --timezone America/New_York
    """
    from barsmith.remote import House, Progress, tell
    from shared.errors import InvalidInput

    if wrong := [pair for pair in mapping if "=" not in pair]:
        raise InvalidInput(f"--map {wrong[0]!r}: write THEIRS=OURS, e.g. Time=ts")
    given = {
        "glob": pattern,
        "columns": dict(pair.split("=", 1) for pair in mapping) or None,
        "symbol": symbol,
        "timezone": timezone,
        "timeframe": timeframe,
    }
    body = {"path": str(path.resolve()), **{name: value for name, value in given.items() if value is not None}}
    jobs = House(home).run("ingestion", "/import", body, Progress(f"import {path.name}"))
    results = [job["result"] for job in jobs]
    tell(results, as_json=as_json, columns=["rows", "stored", "new_rows", "replaced"])
    if not as_json:
        _say_refused(results)
        if outside := sum(result["off_hours"] for result in results):
            click.echo(
                f"\n{outside:,} bars lie outside regular hours (pre- and post-market): if they should not, their "
                "times say no zone and are not in UTC: name it with --timezone"
            )


def _say_refused(results: Iterable[Mapping[str, Any]]) -> None:
    from barsmith.remote import table

    refused = Counter[str]()
    for result in results:
        refused.update(result["rejected"])
    if withdrawn := sum(result["withdrawn"] for result in results):
        click.echo(
            f"\n{withdrawn:,} bars stored before are spikes beside the new ones, and were withdrawn: "
            "barsmith ingest quarantine SYMBOL shows them"
        )
    if replaced := sum(result["replaced"] for result in results):
        click.echo(f"\n{replaced:,} bars were there with other values: barsmith bars SYMBOL --as-of TIME shows them")
    if refused:
        rows = [{"refused": reason, "rows": count} for reason, count in refused.most_common()]
        click.echo(
            f"\n{table(rows, [])}\nsee them with barsmith ingest quarantine SYMBOL; what is good can be released"
        )


@ingest.command()
@home_option
@json_option
def coverage(home: Path, as_json: bool) -> None:
    """Show which bars are there.

    \b
    Example:
      barsmith ingest coverage
    """
    from barsmith.remote import House, tell

    columns = ["symbol", "first", "last", "rows", "sessions", "sessions_expected", "missing_minutes"]
    tell(House(home).get("ingestion", "/coverage"), as_json=as_json, columns=columns)


@ingest.command()
@click.argument("symbol")
@click.option("--rounds", type=click.IntRange(1, 9), default=9, show_default=True, help="n close 2**n - 1 minutes.")
@click.option("--no-trade", is_flag=True, help="Also minutes in which nobody traded.")
@home_option
@json_option
def fill(symbol: str, rounds: int, no_trade: bool, home: Path, as_json: bool) -> None:
    """Ask again for the gaps of SYMBOL, then make bars up for what is left of them.

    Made-up bars are shown only where they are asked for: barsmith bars SYMBOL --filled.

    \b
    Example:
      barsmith ingest fill VIX
    """
    from barsmith.remote import House, Progress, tell

    path = f"/backfill/{symbol}?max_iterations={rounds}&no_trade={str(no_trade).lower()}"
    jobs = House(home).run("ingestion", path, {}, Progress(f"fill {symbol}"))
    results = [job["result"] for job in jobs]
    tell(
        results, as_json=as_json, columns=["symbol", "gap_minutes_before", "gap_minutes", "new_rows", "filled", "left"]
    )
    for refusal in [] if as_json else [said for result in results for said in result["refusals"]]:
        click.echo(f"asked in vain: {refusal}")


@ingest.command()
@click.argument("name", required=False)
@click.argument("verb", required=False, type=click.Choice(["start", "pause", "stop"]))
@click.option(
    "--set", "settings", multiple=True, metavar="OPTION=VALUE", help="Options to start with, see GET /agents."
)
@home_option
@json_option
def agents(name: str | None, verb: str | None, settings: tuple[str, ...], home: Path, as_json: bool) -> None:
    """Show the agents, or start, pause or stop one: backfill, live, scan, fill, retention.

    \b
    Example:
      barsmith ingest agents
      barsmith ingest agents live start --set alert_minutes=5
    """
    import json

    from barsmith.remote import House, tell
    from shared.errors import InvalidInput

    try:
        options = {option: json.loads(value) for option, value in (pair.split("=", 1) for pair in settings)}
    except ValueError as error:
        raise InvalidInput(
            f"--set {' '.join(settings)}: write OPTION=VALUE with a number, true or false, e.g. alert_minutes=5"
        ) from error
    house = House(home)
    if name and verb:
        found = [house.post("ingestion", f"/agents/{name}/{verb}", {"options": options or None})]
    else:
        found = [house.get("ingestion", f"/agents/{name}")] if name else house.get("ingestion", "/agents")
    tell(found, as_json=as_json, columns=["name", "state", "next_run", "runs", "last_ended_at", "alert"])


for command in (watch, unwatch, universe, quarantine, release):
    ingest.add_command(command)
