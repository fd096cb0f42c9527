"""`barsmith ingest`: the watchlist, named lists of symbols, and the quarantine."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option, instant_option, json_option


@click.command()
@click.argument("symbols", nargs=-1)
@click.option("--universe", help="A named list of symbols instead; barsmith ingest universe makes one.")
@instant_option("--since", "Bars are wanted from this day on; by default for a year.")
@click.option("--live/--no-live", default=True, show_default=True, help="Whether the live updater listens to them.")
@home_option
@json_option
def watch(
    symbols: tuple[str, ...], universe: str | None, since: str | None, live: bool, home: Path, as_json: bool
) -> None:
    """Watch SYMBOLS from now on and fetch what is missing of them; without any, show what is watched.

    \b
    Example:
      barsmith ingest watch EDGE QMKT --since 2024-01-01
    """
    from barsmith.remote import House, Progress, tell

    house = House(home)
    if symbols or universe:
        body = {"symbols": list(symbols), "universe": universe, "since": since and since[:10], "live": live}
        jobs = house.run("ingestion", "/watchlist", body, Progress("backfill"))
        tell([job["result"] for job in jobs], as_json=as_json, columns=["symbol", "provider", "rows", "new_rows"])
    else:
        columns = ["symbol", "since", "live", "first", "last", "rows"]
        tell(house.get("ingestion", "/watchlist"), as_json=as_json, columns=columns)


@click.command()
@click.argument("symbols", nargs=-1, required=True)
@home_option
def unwatch(symbols: tuple[str, ...], home: Path) -> None:
    """Watch SYMBOLS no longer; their bars stay.

    \b
    Example:
      barsmith ingest unwatch EDGE
    """
    from barsmith.remote import House

    house = House(home)
    for symbol in symbols:
        house.delete("ingestion", f"/watchlist/{symbol}")
        click.echo(f"{symbol} is watched no longer")


@click.command()
@click.argument("name", required=False)
@click.argument("symbols", nargs=-1)
@click.option("--drop", is_flag=True, help="Forget the list; what is watched stays watched.")
@home_option
@json_option
def universe(name: str | None, symbols: tuple[str, ...], drop: bool, home: Path, as_json: bool) -> None:
    """Set the named list NAME to SYMBOLS; without symbols show it, without a name all of them.

    \b
    Example:
      barsmith ingest universe market SPY QQQ
      barsmith ingest watch --universe market
    """
    from urllib.parse import quote

    from barsmith.remote import House, tell
    from shared.errors import InvalidInput

    house, path = House(home), f"/universes/{quote(name or '', safe='')}"
    if drop:
        if name is None or symbols:
            raise InvalidInput("--drop forgets one list: name it, without symbols")
        house.delete("ingestion", path)
        click.echo(f"{name} is forgotten")
        return
    if name and symbols:
        found = [house.put("ingestion", path, {"symbols": list(symbols)})]
    else:
        found = [house.get("ingestion", path)] if name else house.get("ingestion", "/universes")
    tell(found, as_json=as_json, columns=["name", "symbols", "changed_at"])


@click.command()
@click.argument("symbol", required=False)
@click.option("--reason", help="A part of the reason.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Rows shown, newest first.")
@click.option("--released", is_flag=True, help="What was released of SYMBOL instead.")
@home_option
@json_option
def quarantine(symbol: str | None, reason: str | None, limit: int, released: bool, home: Path, as_json: bool) -> None:
    """Show the rows that were refused, of SYMBOL or of all.

    \b
    Example:
      barsmith ingest quarantine SPY --reason spike
    """
    from barsmith.remote import House, tell
    from shared.errors import InvalidInput

    house, values = House(home), ["open", "high", "low", "close", "volume", "reason"]
    if not released:
        found = house.get("ingestion", "/quarantine", symbol=symbol, reason=reason, per_page=limit)
        tell(found, as_json=as_json, columns=["symbol", "id", "ts", *values, "releasable"])
        return
    if symbol is None:
        raise InvalidInput("--released: name the symbol")
    found = house.get("ingestion", f"/quarantine/{symbol}/release")
    tell(found, as_json=as_json, columns=["symbol", "ts", *values, "released_by", "why", "released_at"])


@click.command()
@click.argument("symbol")
@click.option("--id", "ids", multiple=True, help="A row's id, as barsmith ingest quarantine shows it; repeat for more.")
@click.option("--minute", "minutes", multiple=True, help="A row's minute in UTC; repeat for more.")
@click.option("--reason", help="All rows with this as a part of their reason.")
@instant_option("--start", "First instant of the rows' span.")
@instant_option("--end", "End of the span, not included.")
@click.option("--why", required=True, help="Why they are good; kept with them.")
@click.option("--by", help="Who says so; your user name if not given.")
@click.option("--replace", is_flag=True, help="Also where another bar has the minute: it goes to the quarantine.")
@home_option
@json_option
def release(
    symbol: str,
    ids: tuple[str, ...],
    minutes: tuple[str, ...],
    by: str | None,
    replace: bool,
    home: Path,
    as_json: bool,
    **asked: str | None,
) -> None:
    """Store refused rows of SYMBOL that you know to be good as bars; they are not suspected again.

    \b
    Example:
      barsmith ingest release SPY --reason spike --start 2024-03-04 --end 2024-03-05 --why "seen on the tape"
    """
    import getpass

    from barsmith.remote import House, tell

    body = {"ids": list(ids), "minutes": list(minutes), "by": by or getpass.getuser(), "replace": replace, **asked}
    tell([House(home).post("ingestion", f"/quarantine/{symbol}/release", body)], as_json=as_json)
