"""Features beside pandas, polars and the `ta` library on the same bars in the same run, and the whole way to the lake.

    python benchmarks/features.py                                   # everything, full size: some four minutes
    python benchmarks/features.py --years 1 --symbols 5 --repeat 1  # a look

1. Arithmetic: one symbol, `--years` of minutes; rows x features a second of the whole catalogue, and of each peer's
   columns beside ours of the same names, in turns. Each contender is a process of its own and says its peak memory;
   `ta` gets `--ta-rows` rows (its loops take minutes on more; the figure is per row). Of each peer's columns it is
   counted which hold our values, to a millionth in all but a hundredth of the rows; the others mean something else by
   the name (returns and volatilities there cross the night, `ta`'s bands are in percent).
2. A symbol-year from the lake to stored features (set "full") beside a pandas script from Parquet to Parquet of the
   same columns, but for those that read other symbols; what pandas has no function for is a loop there.
3. The house: `--symbols` x 1 year through the queue's own build jobs, one after the other in this process: the first
   build, one more day for all, and the same again (hits, seconds, blocks made twice).
4. Regimes: what the mixture's labels and their rolling mode take of a whole computation, and one scheduled fit.

Prices are made up: a random walk in cents near 10,000, volumes with a long tail. Times are the best of `--repeat`;
beside each ratio of times stands that of processor times, which other programs disturb less (polars uses all cores).
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import polars as pl
from pydantic import SecretStr

from benchmarks.feature_contenders import START, agreeing, best, contender, made_up
from feature_service.domain.bars import bars_of
from feature_service.domain.catalogue import FULL
from feature_service.domain.regimes import MARKET_MIXTURE
from feature_service.domain.regimes.mixture import label, rolling_mode, state
from feature_service.settings import Settings
from feature_service.wiring import Wired, assemble
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M
from shared.contracts.kinds import JobKind
from shared.contracts.messages import BuildFeatures, Window
from shared.jobs.context import Handler
from shared.jobs.model import JobState, Timing
from shared.storage.embedded import EmbeddedPostgres
from shared.testing.jobs import run_pending

Known = Mapping[JobKind, Handler]


@dataclass
class Table:
    """What was measured, each line with what it ought to be."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list[tuple[str, str, str, str]])

    def add(self, what: str, found: str, target: str = "", *, met: bool = True) -> None:
        self.lines.append((what, found, target, ("yes" if met else "NO") if target else ""))
        print(f"  {what}: {found}", flush=True)

    def show(self) -> None:
        print(f"\n{'':58} {'measured':>38}  {'target':<20} met")
        for what, found, target, met in self.lines:
            print(f"{what:58} {found:>38}  {target:<20} {met}")


def arithmetic(table: Table, years: int, ta_rows: int, repeat: int) -> None:
    with contender("barsmith", years) as work:
        work()
        whole = best([work() for _ in range(repeat)])
    speed = whole["rows"] * len(whole["columns"]) / whole["seconds"] / 1e6
    table.add(f"{len(whole['columns'])} columns, {whole['rows']:,} rows", f"{whole['seconds']:.3f} s")
    table.add("  row-features a second", f"{speed:.0f} million")
    memory = whole["megabytes"]
    table.add("  peak memory", f"{memory:.0f} MB", "< 1500 MB", met=memory < 1500)
    for peer, rows, target, rounds in (("pandas", 0, 2.3, repeat), ("polars", 0, 1.0, repeat), ("ta", ta_rows, 30, 1)):
        with tempfile.TemporaryDirectory() as folder, contender(peer, years, rows) as their_work:
            kept = [Path(folder) / one for one in ("ours", "theirs")]
            names = their_work(kept[1])["columns"]
            with contender("barsmith:" + ",".join(names), years) as our_work:
                our_work(kept[0])
                turns = [(our_work(), their_work()) for _ in range(rounds)]
            same = agreeing(*(pl.read_parquet(one) for one in kept))
        ours, theirs = (best(list(runs)) for runs in zip(*turns, strict=True))
        share = ours["rows"] / theirs["rows"]
        ratio, cpu = (theirs[what] * share / ours[what] for what in ("seconds", "cpu"))
        table.add(
            f"times {peer} ({ours['seconds']:.3f} s : {theirs['seconds'] * share:.3f} s; {same} of {len(names)} agree)",
            f"{ratio:.2f} (processor time: {cpu:.2f})",
            f">= {target}",
            met=ratio >= target,
        )


@contextmanager
def house() -> Iterator[tuple[Wired, Known, Path]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedPostgres(Path(folder) / "postgres") as url:
        settings = Settings(database_url=SecretStr(url), home=Path(folder))
        with assemble(settings) as service, handlers(settings) as known:
            service.resources.queue.timing = Timing(lease=timedelta(hours=1))  # nobody extends it here
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


def symbol_year(table: Table, service: Wired, known: Known, folder: Path, repeat: int) -> None:
    import pandas as pd

    from benchmarks.feature_peers import with_pandas
    from benchmarks.feature_script import the_rest

    warnings.simplefilter("ignore")
    end = START.replace(year=START.year + 1)
    frame = made_up("YEAR", START, end, seed=2)
    service.resources.lake.upsert(BARS_1M, frame.head(20_000).with_columns(symbol=pl.lit("FIRST")))
    build(service, known, ["FIRST"], START, end, "full")  # what is compiled and imported once
    took = list[tuple[float, float]]()
    for one in range(repeat):
        service.resources.lake.upsert(BARS_1M, frame.with_columns(symbol=pl.lit(f"YEAR{one}")))
        begin, cpu = time.perf_counter(), time.process_time()
        build(service, known, [f"YEAR{one}"], START, end, "full")
        took.append((time.perf_counter() - begin, time.process_time() - cpu))
    ours, our_cpu = map(min, zip(*took, strict=True))
    raw = folder / "year.parquet"
    frame.write_parquet(raw)
    theirs = list[tuple[float, float]]()
    for _ in range(min(repeat, 3)):
        begin, cpu = time.perf_counter(), time.process_time()
        bars = pd.read_parquet(raw)
        columns = with_pandas(bars)
        easy, between = len(columns), time.perf_counter() - begin
        columns |= the_rest(bars)
        pd.DataFrame(columns).astype("float32").to_parquet(folder / "features.parquet")
        theirs.append((time.perf_counter() - begin, time.process_time() - cpu))
    script, script_cpu = map(min, zip(*theirs, strict=True))
    table.add(f"symbol-year, lake to stored, {len(FULL.columns)} columns in 12 blocks", f"{ours:.2f} s")
    table.add(
        f"  times a pandas script ({script:.2f} s for {len(columns)}; {between:.2f} s for the {easy} easy ones)",
        f"{script / ours:.1f} (processor time: {script_cpu / our_cpu:.1f})",
        "> 10",
        met=script / ours > 10,
    )


def whole_house(table: Table, service: Wired, known: Known, count: int, feature_set: str) -> None:
    end = START.replace(year=START.year + 1)
    last = end - timedelta(days=1)
    symbols = [f"S{index:02}" for index in range(count)]
    frames = [made_up(symbol, START, end, seed) for seed, symbol in enumerate(symbols)]
    for frame in frames:
        service.resources.lake.upsert(BARS_1M, frame.filter(pl.col("ts") < last))
    for stage in ("first build", "the same again", "one more day", "the same again"):
        if stage == "one more day":
            for frame in frames:
                service.resources.lake.upsert(BARS_1M, frame.filter(pl.col("ts") >= last))
        begin = time.perf_counter()
        results = build(service, known, symbols, START, end, feature_set)
        seconds = time.perf_counter() - begin
        hits, months = sum(one["reused"] for one in results), sum(one["months"] for one in results)
        again = stage == "the same again"
        table.add(
            f"{count} symbols x 1 year, {stage}: {seconds:.2f} s",
            f"{hits} of {months} blocks found ({hits / months:.1%})",
            ">= 95 %" if again else "",
            met=hits >= 0.95 * months,
        )
    twice = service.features.build_counts().blocks_made_twice
    table.add("blocks made twice from the same bars", str(twice), "0", met=twice == 0)


def regimes(table: Table, years: int, repeat: int) -> None:
    end = START.replace(year=START.year + years)
    own, market, proxy = (bars_of(made_up(symbol, START, end, seed)) for seed, symbol in enumerate("OMV"))

    def fastest(work: Callable[[], object]) -> float:
        took = list[float]()
        for _ in range(repeat):
            begin = time.process_time()
            work()
            took.append(time.process_time() - begin)
        return min(took)

    past = market.head(MARKET_MIXTURE.rows)
    fitted = MARKET_MIXTURE.fitted(past)
    states = state(market, 390)
    labels = label(states, fitted)
    parts = fastest(lambda: label(states, fitted)) + fastest(lambda: rolling_mode(labels, market.first, 30, 3))

    def compute() -> object:
        others = {"market": replace(market), "volatility": replace(proxy)}
        return FULL.compute(own.beside(others, {MARKET_MIXTURE.name: fitted}))

    whole = fastest(compute)
    table.add(
        f"labels and rolling mode of {len(market):,} rows ({parts * 1e3:.0f} ms : {whole * 1e3:.0f} ms)",
        f"{parts / whole:.1%} of all features",
        "< 20 %",
        met=parts < 0.2 * whole,
    )
    fit = fastest(lambda: MARKET_MIXTURE.fitted(past))
    table.add(f"one scheduled fit, {len(past):,} rows", f"{fit:.2f} s", "about 0.5 s", met=fit < 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--ta-rows", type=int, default=50_000)
    parser.add_argument("--set", default="full", dest="feature_set")
    asked = parser.parse_args()
    began, table = time.perf_counter(), Table()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    arithmetic(table, asked.years, asked.ta_rows, asked.repeat)
    with house() as (service, known, folder):
        symbol_year(table, service, known, folder, asked.repeat)
        whole_house(table, service, known, asked.symbols, asked.feature_set)
    regimes(table, asked.years, asked.repeat)
    table.show()
    print(f"\nload {os.getloadavg()[0]:.1f} at the end, {time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
