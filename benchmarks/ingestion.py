"""From a provider's pages to the lake, beside the plain loop alpaca-py -> pandas -> Parquet, in the same run.

    python benchmarks/ingestion.py                                # 500 symbols x 1 day, 1 symbol x 5 years; minutes
    python benchmarks/ingestion.py --symbols 20 --years 1 --calls 30

Both ask the same local server, which speaks Alpaca's protocol in a process of its own, through the same client library:

* update: one more day of many symbols whose month is partly there; the plain loop writes one file for each;
* pull: years of one symbol; the plain loop asks once for all of it, and writes one file;
* API: one symbol-month over HTTP from the running service, after the pull.

Each contender runs in a process of its own, whose peak memory is what it adds to a process that only imported its
libraries. Ours checks every row, notes what was answered, waits for the disk, and can be killed at any moment; the
plain loop does none of that.
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import numpy as np

from shared.testing.ports import free_port

if TYPE_CHECKING:
    from ingestion_service.wiring import Wired

KEYS = ("simulated", "simulated-secret")
#: The day of the update, and the days of its month that are there already.
DAY, MONTH = datetime(2024, 6, 20, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
LAST_YEAR = 2024


def main() -> None:
    parser = argparse.ArgumentParser(description="bars from pages to the lake")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200, help="of the API, for each format")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--home", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    PARTS[options.part](options) if options.part else run_all(options)


# --- the whole run


def run_all(options: argparse.Namespace) -> None:
    from shared.storage.embedded import EmbeddedPostgres

    with tempfile.TemporaryDirectory(prefix="barsmith-bench-") as folder, EmbeddedPostgres(Path(folder) / "pg") as url:
        os.environ |= {"DATABASE_URL": url, "BARSMITH_HOME": f"{folder}/home", "BARSMITH_LOG_LEVEL": "WARNING"}
        os.environ |= {"ALPACA_KEY_ID": KEYS[0], "ALPACA_SECRET_KEY": KEYS[1]}
        server, address = started(options)
        os.environ["ALPACA_API_BASE_URL"] = address
        try:
            part("our_seed", options, address, folder)
            for name in ("update", "pull"):
                ours, plain = (part(f"{who}_{name}", options, address, folder) for who in ("our", "plain"))
                tell(name, ours, plain)
            api(options)
        finally:
            server.terminate()
            server.wait()


def started(options: argparse.Namespace) -> tuple[subprocess.Popen[bytes], str]:
    port = free_port()
    server = subprocess.Popen([*command(options), "--part", "serve", "--url", str(port)])
    address = f"http://127.0.0.1:{port}"
    wait_for(f"{address}/healthz")
    return server, address


def command(options: argparse.Namespace) -> list[str]:
    return [sys.executable, __file__, "--symbols", str(options.symbols), "--years", str(options.years)]


def wait_for(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def part(name: str, options: argparse.Namespace, url: str, home: str) -> dict[str, Any]:
    done = subprocess.run(
        [*command(options), "--part", name, "--url", url, "--home", home], check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout.splitlines()[-1])


def tell(name: str, ours: dict[str, Any], plain: dict[str, Any]) -> None:
    for who, found in (("barsmith", ours), ("plain loop", plain)):
        rate = found["bars"] / found["seconds"]
        print(
            f"{name:7} {who:10} {found['bars']:>9,} bars {found['seconds']:>7.2f} s {rate:>9,.0f} bars/s"
            f"  {found['requests']:>5} requests  peak memory +{found['peak_mb']:,.0f} MB"
        )
    print(f"{name:7} plain loop's time / barsmith's: {plain['seconds'] / ours['seconds']:.2f}\n")


def api(options: argparse.Namespace) -> None:
    port = free_port()
    env = os.environ | {"BARSMITH_INGESTION_URL": f"http://127.0.0.1:{port}"}
    service = subprocess.Popen([sys.executable, "-m", "ingestion_service.app"], env=env, cwd=sys.path[0])
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            for kind in ("parquet", "json", "csv"):
                span = {"start": "2024-03-01", "end": "2024-04-01", "limit": 100_000, "format": kind}
                times, size = [], 0
                for _ in range(options.calls):
                    begun = time.perf_counter()
                    answer = http.get("/bars/PULL", params=span)
                    times.append(time.perf_counter() - begun)
                    size = len(answer.raise_for_status().content)
                p50, p99 = np.percentile(times, [50, 99]) * 1_000
                print(f"API     symbol-month as {kind:8} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  {size / 1e6:.2f} MB")
    finally:
        service.terminate()
        service.wait()


# --- the server: every symbol has the same bars


def serve(options: argparse.Namespace) -> None:
    import uvicorn

    from simulated_exchange.app import create_app
    from simulated_exchange.market import Market
    from simulated_exchange.settings import ExchangeSettings

    class OneForAll:
        market = Market()

        def bars(self, _symbol: str, start: datetime, end: datetime) -> object:
            return self.market.bars("EDGE", start, end)

    app = create_app(ExchangeSettings(rate_limit=10_000_000))
    app.state.market = OneForAll()
    for year in range(LAST_YEAR - options.years, LAST_YEAR + 1):  # made before anybody's time is taken
        app.state.market.bars("", datetime(year, 1, 2, tzinfo=UTC), datetime(year, 1, 3, tzinfo=UTC))
    uvicorn.run(app, port=int(options.url), log_level="error", access_log=False)


# --- ours


def our_seed(options: argparse.Namespace) -> None:
    """Store the days of the month before the update."""
    with opened() as wired:
        print(json.dumps(timed(options, lambda: fetch(wired, names(options), MONTH, DAY))))


def our_update(options: argparse.Namespace) -> None:
    with opened() as wired:
        print(json.dumps(timed(options, lambda: fetch(wired, names(options), DAY, DAY + timedelta(days=1)))))


def our_pull(options: argparse.Namespace) -> None:
    with opened() as wired:
        print(json.dumps(timed(options, lambda: fetch(wired, ["PULL"], *years(options)))))


def opened() -> AbstractContextManager[Wired]:
    from ingestion_service.settings import Settings
    from ingestion_service.store import alpaca  # noqa: F401 - imported before time and memory are taken
    from ingestion_service.wiring import assemble

    return assemble(Settings())  # pyright: ignore[reportCallIssue] - read from the environment


def fetch(wired: Wired, symbols: list[str], start: datetime, end: datetime) -> int:
    from ingestion_service.domain.requests import IngestBars, IngestMany
    from shared.jobs.context import JobContext

    class Alone(JobContext):
        """No queue here, so nobody can take the job away."""

        def still_mine(self, conn: object) -> None: ...

    ctx = Alone(job_id=1, kind="ingestion.ingest", payload={}, priority=0, attempt=1, token=uuid4())
    span: dict[str, Any] = {"start": start, "end": end, "provider": "simulated"}
    if len(symbols) == 1:
        done = wired.intake.ingest(IngestBars(symbol=symbols[0], **span), ctx)
    else:
        done = wired.intake.ingest_many(IngestMany(symbols=tuple(symbols), **span), ctx)
    return int(str(done["stored"]))


# --- the plain loop


def plain_update(options: argparse.Namespace) -> None:
    print(json.dumps(timed(options, lambda: plain(options, names(options), DAY, DAY + timedelta(days=1)))))


def plain_pull(options: argparse.Namespace) -> None:
    print(json.dumps(timed(options, lambda: plain(options, ["PULL"], *years(options)))))


def plain(options: argparse.Namespace, symbols: list[str], start: datetime, end: datetime) -> int:
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

    client = StockHistoricalDataClient(*KEYS, url_override=options.url)
    client._session.trust_env = False  # noqa: SLF001 - no proxy between this machine and itself
    folder, rows = Path(options.home) / "plain", 0
    folder.mkdir(exist_ok=True)
    for symbol in symbols:
        asked = StockBarsRequest(
            symbol_or_symbols=symbol,
            timeframe=TimeFrame(1, TimeFrameUnit("Min")),
            start=start,
            end=end - timedelta(microseconds=1),
        )
        frame = client.get_stock_bars(asked).df  # pyright: ignore[reportAttributeAccessIssue] - not raw here
        frame.to_parquet(folder / f"{symbol}-{start:%Y-%m-%d}.parquet")
        rows += len(frame)
    return rows


# --- measures


def names(options: argparse.Namespace) -> list[str]:
    return [f"S{number:04d}" for number in range(options.symbols)]


def years(options: argparse.Namespace) -> tuple[datetime, datetime]:
    return datetime(LAST_YEAR + 1 - options.years, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)


def timed(options: argparse.Namespace, work: Callable[[], int]) -> dict[str, float]:
    # what both need is not counted
    import alpaca.data.historical.stock  # noqa: F401
    import pandas as pd  # noqa: F401

    asked, before = requests_of(options.url), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    bars = work()
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"bars": bars, "seconds": seconds, "peak_mb": peak / 1024, "requests": requests_of(options.url) - asked}


def requests_of(url: str) -> int:
    return httpx.get(f"{url}/healthz", trust_env=False).json()["requests"]


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    work.__name__: work for work in (serve, our_seed, our_update, our_pull, plain_update, plain_pull)
}


if __name__ == "__main__":
    main()
