"""Features beside pandas, polars and the `ta` library on the same bars in the same run, and the whole way to the lake.

    python benchmarks/features.py                                   # everything, full size: some minutes
    python benchmarks/features.py --years 1 --symbols 5 --repeat 1  # a look

1. Arithmetic: one symbol, `--years` of minutes; rows x features a second of the whole catalogue, and of each peer's
   columns beside ours of the same names. Each contender runs in a process of its own and says its peak memory; `ta`
   gets `--ta-rows` rows (its loops take minutes on more; the figure is per row).
2. A symbol-year from the lake to stored features (set "full") beside a pandas script from Parquet to Parquet of the
   same columns, but for those that read other symbols; what pandas has no function for is a loop there.
3. The house: `--symbols` x 1 year through the queue's own build jobs, one after the other in this process: the first
   build, one more day for all, and the same again (hits, seconds, blocks made twice).

Prices are made up: a random walk in cents near 10,000, volumes with a long tail.
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from pydantic import SecretStr

from feature_service.domain.bars import bars_of, usable
from feature_service.domain.catalogue import FULL, FeatureSet
from feature_service.settings import Settings
from feature_service.wiring import Wired, assemble
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M, TS
from shared.contracts.kinds import JobKind
from shared.contracts.messages import BuildFeatures, Window
from shared.contracts.sessions import sessions_between
from shared.jobs.context import Handler
from shared.jobs.model import JobState
from shared.storage.embedded import EmbeddedPostgres
from shared.testing.jobs import run_pending

Known = Mapping[JobKind, Handler]
START = datetime(2019, 1, 1, tzinfo=UTC)
CONTENDERS = ("barsmith", "pandas", "polars", "ta")


def made_up(symbol: str, start: datetime, end: datetime, seed: int) -> pl.DataFrame:
    ts = sessions_between(int(start.timestamp() * 1e6), int(end.timestamp() * 1e6)).expected_minutes()
    rng = np.random.default_rng(seed)
    n = len(ts)
    close = np.round(10_000 * np.exp(np.cumsum(rng.standard_t(4, n) * 3e-4)), 2)
    open_ = np.round(np.concatenate([[close[0]], close[:-1]]) * np.exp(rng.normal(0, 5e-5, n)), 2)
    wick = np.round(rng.exponential(0.5, (2, n)) + 0.01, 2)
    return pl.DataFrame(
        {
            "symbol": pl.Series([symbol]).new_from_index(0, n),
            "ts": pl.Series(ts).cast(TS),
            "open": open_,
            "high": np.maximum(open_, close) + wick[0],
            "low": np.minimum(open_, close) - wick[1],
            "close": close,
            "volume": np.round(rng.lognormal(8, 1, n)),
            "source": pl.Series(["made-up"]).new_from_index(0, n),
        },
        schema=BARS_1M.schema,
    )


def timed(work: Callable[[], object], repeat: int) -> float:
    """Seconds, the median of `repeat` runs after one that warms up."""
    work()
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def contend(name: str, years: int, rows: int, repeat: int) -> dict[str, float | list[str]]:
    """Run one contender here; returns its columns, rows, seconds and this process's peak memory."""
    frame = made_up("X", START, START.replace(year=START.year + years), seed=1)
    if rows:
        frame = frame.head(rows)
    if name.startswith("barsmith"):
        wanted = name.partition(":")[2].split(",") if ":" in name else list(FULL.columns)
        columns = FeatureSet("bench", tuple(FULL.feature(one) for one in wanted))
        bars = bars_of(usable(frame))
        # a copy each time: what features share is kept with the bars
        seconds = timed(lambda: columns.compute(replace(bars)), repeat)
        names = list(columns.columns)
    else:
        warnings.simplefilter("ignore")
        from benchmarks import feature_peers

        compute = getattr(feature_peers, f"with_{name}")
        given = frame if name == "polars" else frame.to_pandas()
        names = list(compute(given.head(500)))
        if name == "polars":
            names = compute(given.head(500)).columns
        seconds = timed(lambda: compute(given), repeat)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"columns": names, "rows": frame.height, "seconds": seconds, "megabytes": peak}


def in_own_process(name: str, years: int, rows: int, repeat: int) -> dict:
    command = [sys.executable, __file__, "--contend", name, "--years", str(years), "--rows", str(rows)]
    done = subprocess.run([*command, "--repeat", str(repeat)], check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(done.stdout)


def arithmetic(years: int, ta_rows: int, repeat: int) -> None:
    def line(label: str, found: dict) -> float:
        speed = found["rows"] * len(found["columns"]) / found["seconds"]
        print(
            f"{label:34} {len(found['columns']):4} columns {found['rows']:9,} rows {found['seconds']:8.3f} s"
            f" {speed / 1e6:8.2f} million row-features/s {found['megabytes']:7.0f} MB"
        )
        return speed

    line("barsmith, whole catalogue", in_own_process("barsmith", years, 0, repeat))
    for peer, rows in (("pandas", 0), ("polars", 0), ("ta", ta_rows)):
        theirs = in_own_process(peer, years, rows, 1 if peer == "ta" else repeat)
        ours = in_own_process("barsmith:" + ",".join(theirs["columns"]), years, 0, repeat)
        ratio = line(f"barsmith, the columns of {peer}", ours) / line(peer, theirs)
        print(f"{'':34} {ratio:.2f} times {peer}")


@contextmanager
def house() -> Iterator[tuple[Wired, Known, Path]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedPostgres(Path(folder) / "postgres") as url:
        settings = Settings(database_url=SecretStr(url), home=Path(folder))
        with assemble(settings) as service, handlers(settings) as known:
            yield service, known, Path(folder)


def build(
    service: Wired, known: Known, symbols: list[str], start: datetime, end: datetime, feature_set: str
) -> list[dict]:
    window = Window(start=start, end=end)
    service.builds.submit([BuildFeatures(symbol=one, window=window, feature_set=feature_set) for one in symbols])
    jobs = run_pending(service.resources.queue, known)
    if failed := [job.error for job in jobs if job.state is not JobState.COMPLETED]:
        raise SystemExit(f"a build failed: {failed[0]}")
    return [dict(job.result) for job in jobs]


def symbol_year(service: Wired, known: Known, folder: Path) -> None:
    import pandas as pd

    from benchmarks.feature_peers import with_pandas
    from benchmarks.feature_script import the_rest

    warnings.simplefilter("ignore")
    end = START.replace(year=START.year + 1)
    frame = made_up("YEAR", START, end, seed=2)
    service.resources.lake.upsert(BARS_1M, frame)
    service.resources.lake.upsert(BARS_1M, frame.head(20_000).with_columns(symbol=pl.lit("FIRST")))
    build(service, known, ["FIRST"], START, end, "full")  # what is compiled and imported once
    begin = time.perf_counter()
    build(service, known, ["YEAR"], START, end, "full")
    ours = time.perf_counter() - begin
    raw = folder / "year.parquet"
    frame.write_parquet(raw)
    begin = time.perf_counter()
    bars = pd.read_parquet(raw)
    columns = with_pandas(bars)
    easy, between = len(columns), time.perf_counter() - begin
    columns |= the_rest(bars)
    pd.DataFrame(columns).astype("float32").to_parquet(folder / "features.parquet")
    script = time.perf_counter() - begin
    print(f"symbol-year, lake to stored: {ours:.2f} s for {len(FULL.columns)} columns in 12 blocks")
    print(
        f"pandas script, Parquet to Parquet: {script:.2f} s for {len(columns)} columns, {between:.2f} s of it for the"
        f" {easy} that pandas has functions for: {script / ours:.1f} times as long"
    )


def whole_house(service: Wired, known: Known, count: int, feature_set: str) -> None:
    end = START.replace(year=START.year + 1)
    last = end - timedelta(days=1)
    symbols = [f"S{index:02}" for index in range(count)]
    frames = [made_up(symbol, START, end, seed) for seed, symbol in enumerate(symbols)]
    for frame in frames:
        service.resources.lake.upsert(BARS_1M, frame.filter(pl.col("ts") < last))
    for label in ("first build", "the same again", "one more day", "the same again"):
        if label == "one more day":
            for frame in frames:
                service.resources.lake.upsert(BARS_1M, frame.filter(pl.col("ts") >= last))
        begin = time.perf_counter()
        results = build(service, known, symbols, START, end, feature_set)
        seconds = time.perf_counter() - begin
        hits, months = sum(one["reused"] for one in results), sum(one["months"] for one in results)
        print(
            f"{count} symbols x 1 year, {label}: {seconds:.2f} s, {hits} of {months} blocks found ({hits / months:.1%})"
        )
    counts = service.features.build_counts()
    print(f"blocks made twice: {counts.blocks_made_twice}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ta-rows", type=int, default=50_000)
    parser.add_argument("--set", default="full", dest="feature_set")
    parser.add_argument("--contend", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contend:
        print(json.dumps(contend(asked.contend, asked.years, asked.rows, asked.repeat)))
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    arithmetic(asked.years, asked.ta_rows, asked.repeat)
    with house() as (service, known, folder):
        symbol_year(service, known, folder)
        whole_house(service, known, asked.symbols, asked.feature_set)


if __name__ == "__main__":
    main()
