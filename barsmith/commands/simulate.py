"""`barsmith simulate`: a model's predictions, or a series of one's own, traded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from barsmith.options import home_option, json_option, window_options

_SIDES = ["long_flat", "long_short", "short_flat"]
_SHOWN = ("total_return", "sharpe", "sqn", "trades", "costs_paid")


@click.group()
def simulate() -> None:
    """Simulate a model or a series of your own, list the runs, stress one, save its tear sheet.

    \b
    Example:
      barsmith simulate run MODEL EDGE --start 2024-01-01 --end 2024-07-01 --threshold 0.0002
      barsmith simulate run mine.csv SPY --start 2024-01-01 --end 2024-07-01
      barsmith simulate sweep MODEL EDGE --start 2024-01-01 --end 2024-07-01 --threshold 0 --threshold 0.0002
    """


def _named(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """Return name=value options as a dictionary; a value is read as JSON where it is JSON."""
    found: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{one!r} is not name=value, as in z_limit=3")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


_setting_option = click.option(
    "--set",
    "setting",
    multiple=True,
    callback=_named,
    metavar="NAME=VALUE",
    help="Any other parameter of a setting; repeat.",
)


@simulate.command()
@click.argument("source")
@click.argument("symbol")
@window_options
@click.option("--threshold", type=float, default=0.0, show_default=True, help="In the unit of the prediction.")
@_setting_option
@click.option("--cost", "costs", multiple=True, callback=_named, metavar="NAME=VALUE", help="Any cost; repeat.")
@home_option
@json_option
def run(  # noqa: PLR0913, PLR0917 - one option each
    source: str,
    symbol: str,
    start: str,
    end: str,
    threshold: float,
    setting: dict[str, Any],
    costs: dict[str, Any],
    home: Path,
    as_json: bool,
) -> None:
    """Simulate SOURCE on SYMBOL under one setting and print every figure.

    SOURCE is a model's fingerprint, or how it begins; or a CSV or Parquet file of your own with the columns ts (start
    of the bar, with a time zone) and prediction or position (-1, 0, 1).

    \b
    Example:
      barsmith simulate run MODEL EDGE --start 2024-01-01 --end 2024-07-01 --threshold 0.0002 \\
          --set hold_bars=15 --set z_limit=3 --set regime=regime_vix --set regime_states=[0,1] --cost half_spread_bps=1
      printf 'ts,position\\n2024-03-04T15:00:00Z,1\\n2024-03-04T19:00:00Z,0\\n' > mine.csv
      barsmith simulate run mine.csv SPY --start 2024-03-01 --end 2024-04-01
    """
    from barsmith.remote import House, Progress, tell

    house, chosen = House(home), {"threshold": threshold, **setting}
    if Path(source).is_file():
        own = house.upload("simulation", "/signals", Path(source), symbol=symbol)
        model = own["fingerprint"]
        if own["kind"] == "position":
            chosen = {"signal": "position", "side": "long_short", **chosen}
    else:
        model = house.model(source)
    window = {"start": start, "end": end}
    body = {"model": model, "symbol": symbol, "window": window, "setting": chosen, "costs": costs}
    found = house.post("simulation", "/simulate", body)
    if "job_id" in found:
        (job,) = house.follow("simulation", [found["job_id"]], Progress("simulate"))
        found = house.get("simulation", f"/runs/{job['result']['fingerprint']}-0")
    rows = [{"figure": name, "value": value} for name, value in found["metrics"].items()]
    rows += [{"figure": "run", "value": found["id"]}, {"figure": "predictions", "value": found["evidence"]}]
    if found["optimistic"]:
        rows += [{"figure": "optimistic", "value": "filled at a price that was gone when it was seen"}]
    if found["note"]:
        rows += [{"figure": "note", "value": found["note"]}]
    tell(found if as_json else rows, as_json=as_json, columns=["figure", "value"])


@simulate.command()
@click.argument("model")
@click.argument("symbol")
@window_options
@click.option("--threshold", "thresholds", type=float, multiple=True, default=(0.0,), help="Repeat for a grid.")
@click.option("--hold-bars", type=click.IntRange(0), default=0, show_default=True, help="0: while the signal lasts.")
@click.option("--delay-bars", type=click.IntRange(0, 60), default=1, show_default=True, help="Fill bar - signal bar.")
@click.option("--side", type=click.Choice(_SIDES), default="long_flat", show_default=True)
@_setting_option
@home_option
@json_option
def sweep(  # noqa: PLR0913, PLR0917 - one option each
    model: str,
    symbol: str,
    start: str,
    end: str,
    thresholds: tuple[float, ...],
    hold_bars: int,
    delay_bars: int,
    side: str,
    setting: dict[str, Any],
    home: Path,
    as_json: bool,
) -> None:
    """Simulate MODEL (its fingerprint, or how it begins; "all" for every model of SYMBOL) for each threshold.

    \b
    Example:
      barsmith simulate sweep MODEL EDGE --start 2024-01-01 --end 2024-07-01 --threshold 0 --threshold 0.0002
      barsmith simulate sweep all EDGE --start 2024-01-01 --end 2024-07-01 --set bot_threshold=0.55
    """
    from barsmith.remote import House, Progress, tell

    house = House(home)
    common = {"hold_bars": hold_bars, "delay_bars": delay_bars, "side": side, **setting}
    body = {
        "symbol": symbol,
        "window": {"start": start, "end": end},
        "settings": [{"threshold": threshold, **common} for threshold in thresholds],
    }
    path = "/sweeps/all-models" if model == "all" else "/sweeps"
    body |= {} if model == "all" else {"model": house.model(model)}
    jobs = house.run("simulation", path, body, Progress("simulate"))
    found = [house.get("simulation", f"/sweeps/{job['result']['fingerprint']}") for job in jobs]
    columns = ["id", "setting.threshold", *(f"metrics.{name}" for name in _SHOWN)]
    rows = [one for swept in found for one in swept["runs"]]
    tell((found if model == "all" else found[0]) if as_json else rows, as_json=as_json, columns=columns)
    for swept in found:
        if swept["note"]:
            click.echo(f"! {swept['note']}", err=True)


@simulate.command()
@click.option("--symbol", help="Only this symbol's.")
@click.option("--sort", help="Column to sort by, as the page of runs names it.")
@home_option
@json_option
def runs(symbol: str | None, sort: str | None, home: Path, as_json: bool) -> None:
    """List the runs.

    \b
    Example:
      barsmith simulate runs --symbol EDGE --sort -sharpe
    """
    from barsmith.remote import House, tell

    columns = ["id", "symbol", "model", *(f"metrics.{name}" for name in _SHOWN)]
    tell(House(home).get("simulation", "/runs", symbol=symbol, sort=sort), as_json=as_json, columns=columns)


@simulate.command()
@click.argument("run_id")
@click.option("--draws", type=click.IntRange(10, 20_000), default=1_000, show_default=True, help="At random times.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Of the draws.")
@home_option
@json_option
def stress(run_id: str, draws: int, seed: int, home: Path, as_json: bool) -> None:
    """Simulate a run again with dearer costs, later fills, other thresholds; and its trades at random times.

    \b
    Example:
      barsmith simulate stress 3f0c...e1-4 --draws 5000
    """
    from barsmith.remote import House, Progress, tell

    house = House(home)
    house.run("simulation", f"/runs/{run_id}/stress", {"draws": draws, "seed": seed}, Progress("stress"))
    found = house.get("simulation", f"/runs/{run_id}/stress")
    columns = ["name", *(f"metrics.{name}" for name in _SHOWN)]
    tell(found if as_json else found["report"]["variants"], as_json=as_json, columns=columns)
    placebo = found["report"]["placebo"]
    if placebo and not as_json:
        better, p_value = placebo["percentile"], placebo["p_value"]
        click.echo(f"at random times: better than {better:.1f} % of {draws} draws, p = {p_value:.3g}")


@simulate.command()
@click.argument("run_id")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default="tearsheet.html", show_default=True)
@home_option
def tearsheet(run_id: str, output: Path, home: Path) -> None:
    """Save a run's tear sheet: one page of HTML that needs nothing else.

    \b
    Example:
      barsmith simulate tearsheet 3f0c...e1-4 --output edge.html
    """
    from barsmith.remote import House, save

    save(output, lambda: House(home).download("simulation", f"/runs/{run_id}/tearsheet"))
    click.echo(f"{output} written", err=True)
