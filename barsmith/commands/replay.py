"""`barsmith replay`: a past day as a live feed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barsmith.options import home_option

if TYPE_CHECKING:
    from datetime import date, datetime

    from simulated_exchange.replay import ReplayMarket

#: how often the replay says where it is
_TELL_SECONDS = 10.0


@click.command()
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@click.option(
    "--date", "day", type=click.DateTime(formats=["%Y-%m-%d"]), required=True, help="Which day, e.g. 2024-05-01."
)
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 5_000),
    default=60.0,
    show_default=True,
    help="Exchange minutes that pass in a minute.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8901, show_default=True, help="Where to serve it.")
@click.option("--cut", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Drop each stream after so long.")
@home_option
def replay(symbols: tuple[str, ...], day: datetime, speed: float, port: int, cut: float, home: Path) -> None:
    """Serve stored bars of a past day as if it were today: Alpaca's stream and REST, on a clock of their own.

    A house that is told ALPACA_API_BASE_URL=http://127.0.0.1:8901 gets them through its live updater minute by minute,
    on a Sunday too. What has not happened yet on that clock is not served. Ends with Ctrl-C.

    \b
    Example:
      barsmith replay SPY AAPL --date 2024-05-01 --speed 120
      ALPACA_API_BASE_URL=http://127.0.0.1:8901 barsmith up --home .replayed --port-offset 10000
    """
    from barsmith.stack import is_free
    from shared.contracts.identifiers import check_symbol
    from shared.errors import Conflict

    if not is_free(port):
        raise Conflict(f"port {port} is taken: name another one with --port")
    names = [check_symbol(symbol) for symbol in dict.fromkeys(symbols)]
    _serve(_market(home, names, day.date(), speed), port, cut)


def _market(home: Path, symbols: list[str], day: date, speed: float) -> ReplayMarket:
    """Ask the running house for the day's bars; raises InvalidInput for a symbol that has none."""
    from datetime import UTC, datetime, time, timedelta
    from zoneinfo import ZoneInfo

    import polars as pl

    from barsmith.remote import House
    from shared.clock import SystemClock
    from shared.contracts.sessions import sessions_between
    from shared.errors import InvalidInput
    from simulated_exchange.replay import ReplayMarket, as_wire_bars
    from simulated_exchange.timeline import Timeline

    start = datetime.combine(day, time(), ZoneInfo("America/New_York")).astimezone(UTC)
    end = start + timedelta(days=1)
    house, played = House(home), dict[str, pl.DataFrame]()
    for symbol in symbols:
        answer = house.get(
            "ingestion", f"/bars/{symbol}", start=f"{start:%Y-%m-%dT%H:%M:%SZ}", end=f"{end:%Y-%m-%dT%H:%M:%SZ}"
        )
        rows: list[dict[str, Any]] = answer["bars"]
        if not rows:
            raise InvalidInput(f"there are no bars of {symbol} on {day}: see barsmith ingest coverage")
        bars = pl.DataFrame(rows, infer_schema_length=None)
        played[symbol] = as_wire_bars(bars.with_columns(pl.col("ts").str.to_datetime(time_unit="us", time_zone="UTC")))
    sessions = sessions_between(int(start.timestamp() * 1e6), int(end.timestamp() * 1e6))
    first = min(bars["ts"][0] for bars in played.values())
    opens = datetime.fromtimestamp(int(sessions.open_us[0]) / 1e6, UTC) if len(sessions) else first
    return ReplayMarket(played, Timeline.replay(SystemClock(), opens - timedelta(minutes=1), speed))


def _serve(market: ReplayMarket, port: int, cut: float) -> None:
    import threading

    import uvicorn

    from simulated_exchange.app import create_app
    from simulated_exchange.settings import ExchangeSettings

    app = create_app(ExchangeSettings(stream_cut_seconds=cut), market)
    url = f"http://127.0.0.1:{port}"
    bars = sum(frame.height for frame in market.played.values())
    click.echo(
        f"{bars:,} bars of {', '.join(market.played)} at {url}, {market.timeline.speed:g} times as fast as they were"
    )
    click.echo(f"live code follows with ALPACA_API_BASE_URL={url}; Ctrl-C ends it")
    threading.Thread(target=_tell, args=(market, app), name="tell", daemon=True).start()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=2)


def _tell(market: ReplayMarket, app: Any) -> None:
    import time
    from datetime import timedelta

    last = max(frame["ts"][-1] for frame in market.played.values()) + timedelta(minutes=1)
    while (now := market.timeline.now()) < last:
        click.echo(f"{now:%Y-%m-%d %H:%M} UTC, {app.state.streams} streams so far", err=True)
        time.sleep(_TELL_SECONDS)
    click.echo("all bars are out; they are still served", err=True)
