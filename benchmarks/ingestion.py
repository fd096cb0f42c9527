"""From a provider's pages to the lake, beside the plain loop alpaca-py -> pandas -> Parquet, in the same run.

    python benchmarks/ingestion.py                # 500 symbols x 1 day, 1 symbol x 5 years, API: some minutes
    python benchmarks/ingestion.py --symbols 20 --years 1 --rounds 1 --calls 30

All ask the same local server, which speaks Alpaca's protocol in a process of its own, through the same client library:

* update: one more day of many symbols whose month is partly there. The plain loop asks for one symbol after the other,
  reads its file of the month, puts the day's rows into it, and writes it; "50 at once" asks for lists as we do.
* pull: years of one symbol; the plain loop asks once for all of it, and writes one file;
* API: one symbol-month over HTTP from the running service, after the pull.

Each contender runs in a process of its own, in turns; of several rounds the median is shown. Peak memory is what it
adds to a process that only imported its libraries; CPU is the contender's process alone, not the server's or
Postgres's. Ours checks every row, notes what was answered, waits for the disk, and can be killed at any moment; the
plain loops do none of that.
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

from benchmarks import ingestion_plain, ingestion_server
from benchmarks.ingestion_plain import KEYS
from shared.testing.ports import free_port

if TYPE_CHECKING:
    from ingestion_service.wiring import Wired

#: The first day of the updates, and where its month begins.
DAY, MONTH = datetime(2024, 6, 20, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
LAST_YEAR = 2024
#: Sessions of that month, one for each round of the update.
DAYS = (20, 21, 24, 25, 26, 27, 28)
#: What we want to be at least, in the plain loop's time over ours, and at most, in milliseconds (median, 99 of 100).
TARGETS = {"update": 1.5, "pull": 2.0, "api": (50.0, 150.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description="bars from pages to the lake")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200, help="of the API, for each format")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, len(DAYS) + 1))
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--round", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--home", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    PARTS[options.part](options) if options.part else run_all(options)


# --- the whole run


def run_all(options: argparse.Namespace) -> None:
    from shared.storage.embedded import EmbeddedPostgres

    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; medians of {options.rounds} rounds\n")
    with tempfile.TemporaryDirectory(prefix="barsmith-bench-") as folder, EmbeddedPostgres(Path(folder) / "pg") as url:
        os.environ |= {"DATABASE_URL": url, "BARSMITH_HOME": f"{folder}/home", "BARSMITH_LOG_LEVEL": "WARNING"}
        os.environ |= {"ALPACA_KEY_ID": KEYS[0], "ALPACA_SECRET_KEY": KEYS[1]}
        server, address = ingestion_server.started(LAST_YEAR - options.years, LAST_YEAR)
        os.environ["ALPACA_API_BASE_URL"] = address
        try:
            for who in ("our", "plain"):
                part(f"{who}_seed", options, address, folder)
            compared(
                "update", {"our": "barsmith", "plain": "plain loop", "plain_list": "plain, 50 at once"}, options, folder
            )
            compared("pull", {"our": "barsmith", "plain": "plain loop"}, options, folder)
            api(options)
        finally:
            server.terminate()
            server.wait()


def command(options: argparse.Namespace) -> list[str]:
    return [sys.executable, __file__, "--symbols", str(options.symbols), "--years", str(options.years)]


def part(name: str, options: argparse.Namespace, url: str, home: str, round_: int = 0) -> dict[str, Any]:
    asked = [*command(options), "--part", name, "--url", url, "--home", home, "--round", str(round_)]
    done = subprocess.run(asked, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def compared(name: str, contenders: dict[str, str], options: argparse.Namespace, folder: str) -> None:
    """Run all in turns, and print the median of each one's rounds and of the rounds' ratios."""
    rounds = [
        {who: part(f"{who}_{name}", options, os.environ["ALPACA_API_BASE_URL"], folder, round_) for who in contenders}
        for round_ in range(options.rounds)
    ]
    for who, label in contenders.items():
        found = {key: float(np.median([one[who][key] for one in rounds])) for key in rounds[0][who]}
        print(
            f"{name:7} {label:18} {found['bars']:>9,.0f} bars {found['seconds']:>7.2f} s {found['cpu']:>7.2f} s CPU"
            f" {found['bars'] / found['seconds']:>9,.0f} bars/s {found['requests']:>5.0f} requests"
            f"  peak memory +{found['peak_mb']:,.0f} MB"
        )
    for who, label in contenders.items():
        if who != "our":
            ratios, cpu = ([one[who][key] / one["our"][key] for one in rounds] for key in ("seconds", "cpu"))
            target = f"target {TARGETS[name]:.1f}: {met(np.median(ratios) >= TARGETS[name])}" if who == "plain" else ""
            print(
                f"{name:7} {label}'s time / barsmith's: {np.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}),"
                f" CPU {np.median(cpu):.2f}  {target}"
            )
    print(flush=True)


def met(good: object) -> str:
    return "met" if good else "MISSED"


def api(options: argparse.Namespace) -> None:
    port = free_port()
    env = os.environ | {"BARSMITH_INGESTION_URL": f"http://127.0.0.1:{port}"}
    service = subprocess.Popen([sys.executable, "-m", "ingestion_service.app"], env=env, cwd=sys.path[0])
    try:
        ingestion_server.wait_for(f"http://127.0.0.1:{port}/readyz")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            for kind in ("parquet", "arrow", "csv", "json"):
                span = {"start": "2024-03-01", "end": "2024-04-01", "limit": 100_000, "format": kind}
                times, size = [], 0
                for _ in range(options.calls):
                    begun = time.perf_counter()
                    answer = http.get("/bars/PULL0", params=span)
                    times.append(time.perf_counter() - begun)
                    size = len(answer.raise_for_status().content)
                p50, p99 = np.percentile(times, [50, 99]) * 1_000
                good = p50 <= TARGETS["api"][0] and p99 <= TARGETS["api"][1]
                print(
                    f"API     symbol-month as {kind:8} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  {size / 1e6:.2f} MB"
                    f"  target {TARGETS['api'][0]:.0f} and {TARGETS['api'][1]:.0f} ms: {met(good)}"
                )
    finally:
        service.terminate()
        service.wait()


# --- ours


def our_seed(options: argparse.Namespace) -> None:
    """Store the days of the month before the update."""
    with opened() as wired:
        print(json.dumps(timed(options, lambda: fetch(wired, names(options), MONTH, DAY))))


def our_update(options: argparse.Namespace) -> None:
    with opened() as wired:
        print(json.dumps(timed(options, lambda: fetch(wired, names(options), *day(options)))))


def our_pull(options: argparse.Namespace) -> None:
    with opened() as wired:
        print(json.dumps(timed(options, lambda: fetch(wired, [f"PULL{options.round}"], *years(options)))))


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


def plain_seed(options: argparse.Namespace) -> None:
    ingestion_plain.seed(options.url, plain_folder(options), names(options), MONTH, DAY)
    print("{}")


def plain_update(options: argparse.Namespace, at_once: int = 1) -> None:
    asked = (options.url, plain_folder(options), names(options), *day(options))
    print(json.dumps(timed(options, lambda: ingestion_plain.update(*asked, at_once=at_once))))


def plain_list_update(options: argparse.Namespace) -> None:
    plain_update(options, at_once=50)


def plain_pull(options: argparse.Namespace) -> None:
    asked = (options.url, plain_folder(options), "PULL", *years(options))
    print(json.dumps(timed(options, lambda: ingestion_plain.pull(*asked))))


def plain_folder(options: argparse.Namespace) -> Path:
    return Path(options.home) / "plain"


# --- measures


def names(options: argparse.Namespace) -> list[str]:
    return [f"S{number:04d}" for number in range(options.symbols)]


def day(options: argparse.Namespace) -> tuple[datetime, datetime]:
    start = DAY.replace(day=DAYS[options.round])
    return start, start + timedelta(days=1)


def years(options: argparse.Namespace) -> tuple[datetime, datetime]:
    return datetime(LAST_YEAR + 1 - options.years, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)


def timed(options: argparse.Namespace, work: Callable[[], int]) -> dict[str, float]:
    # what both need is not counted
    import alpaca.data.historical.stock  # noqa: F401
    import pandas as pd  # noqa: F401

    asked, before = ingestion_server.requests_of(options.url), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, cpu = time.perf_counter(), time.process_time()
    bars = work()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    asked = ingestion_server.requests_of(options.url) - asked
    return {"bars": bars, "seconds": seconds, "cpu": cpu, "peak_mb": peak / 1024, "requests": asked}


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    work.__name__: work
    for work in (our_seed, our_update, our_pull, plain_seed, plain_update, plain_list_update, plain_pull)
}


if __name__ == "__main__":
    main()
