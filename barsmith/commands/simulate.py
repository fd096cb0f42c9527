"""`barsmith simulate`: a model's predictions, traded."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option, json_option, window_options


@click.group()
def simulate() -> None:
    """Simulate a model under a grid of settings, list the runs.

    \b
    Example:
      barsmith simulate sweep MODEL EDGE --start 2024-01-01 --end 2024-07-01 --threshold 0.0002
    """


@simulate.command()
@click.argument("model")
@click.argument("symbol")
@window_options
@click.option("--threshold", "thresholds", type=float, multiple=True, default=(0.0,), help="Repeat for a grid.")
@click.option("--hold-bars", type=click.IntRange(0), default=0, show_default=True, help="0: while the signal lasts.")
@click.option("--delay-bars", type=click.IntRange(1, 60), default=1, show_default=True, help="Fill bar - signal bar.")
@click.option("--side", type=click.Choice(["long_flat", "long_short"]), default="long_flat", show_default=True)
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
    home: Path,
    as_json: bool,
) -> None:
    """Simulate MODEL (its fingerprint, or how it begins) on SYMBOL for each threshold.

    \b
    Example:
      barsmith simulate sweep MODEL EDGE --start 2024-01-01 --end 2024-07-01 --threshold 0 --threshold 0.0002
    """
    from barsmith.remote import House, Progress, tell

    house = House(home)
    common = {"hold_bars": hold_bars, "delay_bars": delay_bars, "side": side}
    body = {
        "model": house.model(model),
        "symbol": symbol,
        "window": {"start": start, "end": end},
        "settings": [{"threshold": threshold, **common} for threshold in thresholds],
    }
    (job,) = house.run("simulation", "/simulate", body, Progress("simulate"))
    found = house.get("simulation", f"/sweeps/{job['result']['fingerprint']}")
    columns = ["id", "setting.threshold", *(f"metrics.{name}" for name in ("total_return", "sharpe", "sqn", "trades"))]
    tell(found if as_json else found["runs"], as_json=as_json, columns=columns)


@simulate.command()
@click.option("--symbol", help="Only this symbol's.")
@click.option("--sort", help="Column to sort by, as the page of runs names it.")
@home_option
@json_option
def runs(symbol: str | None, sort: str | None, home: Path, as_json: bool) -> None:
    """List the runs.

    \b
    Example:
      barsmith simulate runs --symbol EDGE
    """
    from barsmith.remote import House, tell

    columns = ["id", "symbol", "model", *(f"metrics.{name}" for name in ("total_return", "sharpe", "sqn", "trades"))]
    tell(House(home).get("simulation", "/runs", symbol=symbol, sort=sort), as_json=as_json, columns=columns)
