"""`barsmith features leak-check`: whether a feature or a column knows the future."""

from __future__ import annotations

import inspect
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barsmith.options import home_option, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

#: a liquid symbol would hide leaks in minutes without a trade: this one lacks one in eight
_SYMBOL, _SESSIONS_FROM, _SESSIONS_TO = "CALM", "2023-01-03", "2023-02-11"


@click.command("leak-check")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--feature", help="A feature of the catalogue, instead of FILE.")
@click.option("--symbol", help="Whose bars the column belongs to, or the feature is run on.")
@click.option(
    "--earlier",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same column as it was at an earlier moment: proof instead of evidence.",
)
@home_option
@json_option
def leak_check(
    file: Path | None, feature: str | None, symbol: str | None, earlier: Path | None, home: Path, as_json: bool
) -> None:
    """Say whether FILE knows the future; ends with status 1 when it does.

    \b
    FILE is a column (CSV or Parquet: ts, the bars' starts in UTC, and value), compared with the symbol's bars,
    or Python with a function feature(bars) or feature(bars, context) of polars frames, which is run again on
    prefixes and changed futures of the simulated market. It runs here, in this process: check your own code only.

    \b
    Example:
      barsmith features leak-check column.csv --symbol SPY
      barsmith features leak-check column.csv --symbol SPY --earlier column-of-last-week.csv
      barsmith features leak-check my_feature.py
      barsmith features leak-check --feature vix_z_score --symbol SPY
    """
    if (file is None) == (feature is None):
        raise click.UsageError("give either a FILE or --feature")
    if earlier is not None and (file is None or file.suffix == ".py"):
        raise click.UsageError(f"--earlier {earlier} belongs to a column: give the column's FILE, CSV or Parquet")
    if file is not None and file.suffix == ".py":
        if symbol is not None:
            raise click.UsageError(
                f"--symbol {symbol} belongs to a column or a --feature: a function is run on the simulated bars of "
                f"{_SYMBOL}, so leave it out"
            )
        report = _of_function(file)
    elif symbol is None:
        raise click.UsageError("--symbol is needed: whose bars does it belong to?")
    else:
        from barsmith.remote import House

        house = House(home)
        report = (
            house.post("features", f"/leak-check/{feature}?symbol={symbol}", {})
            if file is None
            else house.send("features", "/leak-check", _table(file, earlier), symbol=symbol)
        )
    _tell(report, as_json=as_json)
    if report["leak"]:
        raise SystemExit(1)


def _tell(report: dict[str, Any], *, as_json: bool) -> None:
    from barsmith.remote import tell

    if as_json:
        tell(report, as_json=True)
        return
    for one in report["findings"]:
        click.echo(f"{'LEAK' if one['leak'] else 'ok  '}  {one['check']}: {one['detail']}")
        click.echo(
            f"      {one['hit']}; false alarms: {one['false_alarms']}" if one["leak"] else f"      {one['miss']}"
        )
    for check, reason in report["skipped"].items():
        click.echo(f"-     {check}: not checked, {reason}")


def _read(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, try_parse_dates=True)
    except pl.exceptions.PolarsError as error:
        raise click.ClickException(f"{path} is neither CSV with a header nor Parquet: {error}") from error


def _table(file: Path, earlier: Path | None) -> bytes:
    """Return the column, and its earlier values beside it, as Parquet."""
    import polars as pl

    table = _read(file)
    if earlier is not None:
        before = _read(earlier)
        for name, frame in ((file, table), (earlier, before)):
            if not {"ts", "value"} <= set(frame.columns):
                raise click.ClickException(f"{name} has the columns {frame.columns}: it needs ts and value")
        # rows that are gone count too
        table = table.join(before.select("ts", earlier=pl.col("value")), on="ts", how="full", coalesce=True)
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def _of_function(path: Path) -> dict[str, Any]:
    import numpy as np

    from feature_service.domain.leaks.recompute import check_function
    from feature_service.schemas.leaks import ReportOut

    made = _loaded(path)
    takes_context = len(inspect.signature(made).parameters) > 1

    def function(bars: pl.DataFrame, context: Any) -> pl.DataFrame:
        try:
            answer = made(bars, context) if takes_context else made(bars)
        except Exception as error:
            raise click.ClickException(
                f"feature() of {path} fails on {bars.height} bars: {_words(error, path)}"
            ) from error
        return _answered(answer, bars, path)

    context = {"volatility": _bars("VOLX"), "market": _bars("QMKT")} if takes_context else {}
    report = check_function(function, _bars(_SYMBOL), context, np.random.default_rng(0))
    return ReportOut.of(report).model_dump()


def _answered(answer: Any, bars: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Return what feature() answered as `ts`, `value`, or end in words."""
    import numpy as np
    import polars as pl

    if isinstance(answer, pl.DataFrame):
        if not {"ts", "value"} <= set(answer.columns):
            raise click.ClickException(
                f"feature() of {path} returned a frame with the columns {answer.columns}: it needs ts and value"
            )
        kind = answer["value"].dtype
        if not (kind.is_numeric() or kind in {pl.Boolean, pl.Null}):
            raise click.ClickException(f"feature() of {path} returned values of type {kind}: they must be numbers")
        return answer.select("ts", pl.col("value").cast(pl.Float64))
    try:
        values = np.asarray(answer, dtype=float)
    except (TypeError, ValueError) as error:
        raise click.ClickException(
            f"feature() of {path} returned a {type(answer).__name__} that holds no numbers ({error}): return one value "
            "a bar, or a frame with ts and value"
        ) from error
    if values.shape != (bars.height,):
        raise click.ClickException(
            f"feature() of {path} returned shape {values.shape} for {bars.height} bars: return one value a bar, or "
            "a frame with ts and value"
        )
    return bars.select("ts", value=pl.Series(values))


def _loaded(path: Path) -> Callable[..., Any]:
    import runpy

    try:
        found = runpy.run_path(str(path)).get("feature")
    except Exception as error:
        raise click.ClickException(f"{path} cannot be run: {_words(error, path)}") from error
    if not callable(found):
        raise click.ClickException(f"{path} has no function called feature: write def feature(bars) in it")
    return found


def _words(error: Exception, path: Path) -> str:
    """Return what a user's code ended with, and where in it, in place of a traceback through this command."""
    import traceback

    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
    return (f"line {lines[-1]}: " if lines else "") + f"{type(error).__name__}: {error}"


def _bars(symbol: str) -> pl.DataFrame:
    from datetime import UTC, datetime

    import polars as pl

    from simulated_exchange.market import Market

    span = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (_SESSIONS_FROM, _SESSIONS_TO))
    frame = Market().bars(symbol, *span)
    return frame.select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))
