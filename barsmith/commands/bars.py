"""`barsmith bars` and `barsmith quality`: what is stored of a symbol, and how good it is."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option, instant_option, json_option

_FORMATS = {".csv": "csv", ".parquet": "parquet", ".arrows": "arrow"}
_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")


@click.command()
@click.argument("symbol")
@instant_option("--start", "First instant of the span.")
@instant_option("--end", "End of the span, not included.")
@click.option("--timeframe", type=click.Choice(_TIMEFRAMES), default="1m", show_default=True)
@click.option("--adjustment", type=click.Choice(("raw", "split", "all")), default="raw", show_default=True)
@click.option("--filled", is_flag=True, help="Also the bars made up for gaps.")
@instant_option("--as-of", "As it was stored at this moment.")
@click.option("--limit", type=click.IntRange(1, 5_000_000), help="At most so many; 20 on the screen, all in a file.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write .csv, .parquet or .arrows (an IPC stream)."
)
@home_option
@json_option
def bars(
    symbol: str, filled: bool, limit: int | None, out: Path | None, home: Path, as_json: bool, **asked: str | None
) -> None:
    """Show or save bars of SYMBOL.

    \b
    Example:
      barsmith bars SPY --start 2024-01-01 --timeframe 1d --adjustment all --out spy.parquet
    """
    from barsmith.remote import House, save, tell
    from shared.errors import InvalidInput

    params = {**asked, "filled": str(filled).lower(), "limit": limit or (20 if out is None else 5_000_000)}
    if out is None:
        answer = House(home).get("ingestion", f"/bars/{symbol}", **params)
        columns = ["ts", "open", "high", "low", "close", "volume", "source"]
        tell(answer if as_json else answer["bars"], as_json=as_json, columns=columns)
        return
    if out.suffix not in _FORMATS:
        raise InvalidInput(f"--out {out}: end its name with {', '.join(_FORMATS)}")
    kind = _FORMATS[out.suffix]
    save(out, lambda: House(home).download("ingestion", f"/bars/{symbol}", format=kind, **params))
    click.echo(f"{out}: {out.stat().st_size:,} bytes")


@click.command()
@click.argument("symbol")
@home_option
@json_option
def quality(symbol: str, home: Path, as_json: bool) -> None:
    """Show what is known against the bars of SYMBOL: gaps, refused rows, steps that look like splits.

    \b
    Example:
      barsmith quality SPY
    """
    from barsmith.remote import House, table, tell

    report = House(home).get("ingestion", f"/quality/{symbol}")
    if as_json:
        tell(report, as_json=True)
        return
    columns = [f"coverage.{name}" for name in ("symbol", "first", "last", "rows", "sessions")]
    click.echo(table([report], [*columns, "completeness"]))
    refused = [{"refused": reason, "rows": count} for reason, count in report["quarantine"].items()]
    for title, rows in (
        ("missing minutes", report["gaps"]),
        ("quarantine", refused),
        ("steps that look like splits", report["suspected_splits"]),
        ("dividends that adjust nothing: not below the close before them", report["impossible_dividends"]),
        ("asked in vain", report["failed_asks"]),
    ):
        click.echo(f"\n{title}\n{table(rows, [])}")
