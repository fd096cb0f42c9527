"""The lake beside DuckDB's own file and delta-rs, on the same rows, in the same run.

    python benchmarks/lake.py            # 50 symbols x 12 months, 4.9 million rows; about a minute
    python benchmarks/lake.py --symbols 10 --months 12 --repeat 5

Measured, each as the median of `--repeat` calls that take turns with the others':

* bulk write: one month of all symbols in one call;
* overlapping-day upsert: two days of one symbol, one of them stored already with other prices;
* symbol-year read: all stored months of one symbol, as a polars frame sorted by time;
* cross-section read: one month of all symbols, as a polars frame sorted by symbol and time.

Each contender is used the way it is fastest at: DuckDB's table has no key (an index makes its bulk write several
times slower), an upsert there is delete and insert in one transaction; delta-rs has the lake's partitions and merges
with them in the predicate. The lake and DuckDB wait for the disk on commit, delta-rs does not.
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from shared.clock import SystemClock
from shared.contracts.datasets import BARS_1M, TS
from shared.storage.embedded import EmbeddedPostgres
from shared.storage.lake import Lake, migrate_lake
from shared.storage.postgres import Database

SESSIONS, MINUTES = 21, 390
YEAR = 2024


def month_of(symbols: list[str], month: int, days: range, seed: int) -> pl.DataFrame:
    """Return made-up bars: prices in cents that wander, volumes with a long tail."""
    rng = np.random.default_rng([seed, month])
    opening = datetime(YEAR, month, 1, 14, 30, tzinfo=UTC)
    minutes = [opening + timedelta(days=day, minutes=minute) for day in days for minute in range(MINUTES)]
    count = len(minutes)
    frames = []
    for symbol in symbols:
        close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 4e-4, count))), 2)
        wick = np.round(rng.exponential(0.03, (2, count)), 2)
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [symbol] * count,
                    "ts": pl.Series(minutes, dtype=TS),
                    "open": np.round(close + rng.normal(0, 0.02, count), 2),
                    "high": close + wick[0],
                    "low": close - wick[1],
                    "close": close,
                    "volume": np.round(rng.lognormal(8, 1, count)),
                    "source": ["made-up"] * count,
                },
                schema=BARS_1M.schema,
            )
        )
    return pl.concat(frames)


class OurLake:
    name = "barsmith lake"

    def __init__(self, folder: Path, url: str) -> None:
        self.database = Database(url, application_name="benchmark")
        migrate_lake(self.database)
        self.lake = Lake(self.database, str(folder), SystemClock())

    def write(self, rows: pl.DataFrame) -> None:
        self.lake.upsert(BARS_1M, rows)

    upsert = write

    def symbol(self, symbol: str) -> pl.DataFrame:
        return self.lake.read(self.lake.snapshot(BARS_1M, symbol=symbol))

    def month(self, month: int) -> pl.DataFrame:
        start = datetime(YEAR, month, 1, tzinfo=UTC)
        return self.lake.read(self.lake.snapshot(BARS_1M, start=start, end=start + timedelta(days=SESSIONS + 1)))

    def close(self) -> None:
        self.database.close()


class DuckFile:
    name = "DuckDB file"

    def __init__(self, folder: Path) -> None:
        import duckdb

        folder.mkdir()
        self.con = duckdb.connect(folder / "bars.duckdb")
        self.con.execute("set TimeZone = 'UTC'")
        self.con.execute(
            "create table bars (symbol varchar, ts timestamptz, open double, high double, low double, close double,"
            " volume double, source varchar)"
        )

    def write(self, rows: pl.DataFrame) -> None:
        self.con.register("new_rows", rows.to_arrow())
        self.con.execute("insert into bars select * from new_rows")

    def upsert(self, rows: pl.DataFrame) -> None:
        self.con.register("new_rows", rows.to_arrow())
        self.con.execute("begin")
        self.con.execute("delete from bars using new_rows n where bars.symbol = n.symbol and bars.ts = n.ts")
        self.con.execute("insert into bars select * from new_rows")
        self.con.execute("commit")

    def symbol(self, symbol: str) -> pl.DataFrame:
        return self.con.sql("select * from bars where symbol = ? order by ts", params=[symbol]).pl()

    def month(self, month: int) -> pl.DataFrame:
        start = datetime(YEAR, month, 1, tzinfo=UTC)
        return self.con.sql(
            "select * from bars where ts >= ? and ts < ? order by symbol, ts",
            params=[start, start + timedelta(days=SESSIONS + 1)],
        ).pl()

    def close(self) -> None:
        self.con.close()


class Delta:
    name = "delta-rs"

    def __init__(self, folder: Path) -> None:
        self.path = str(folder)

    def write(self, rows: pl.DataFrame) -> None:
        from deltalake import write_deltalake

        write_deltalake(self.path, self._with_month(rows), partition_by=["symbol", "month"], mode="append")

    def upsert(self, rows: pl.DataFrame) -> None:
        from deltalake import DeltaTable

        rows = self._with_month(rows)
        # named literally, the partitions that it need not look at are left out before it reads: 70 times faster
        symbol, month = rows.select("symbol", "month").row(0)
        same = f"t.symbol = '{symbol}' and t.month = '{month}' and t.ts = s.ts"
        merge = DeltaTable(self.path).merge(rows, same, source_alias="s", target_alias="t")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()

    def symbol(self, symbol: str) -> pl.DataFrame:
        return pl.scan_delta(self.path).filter(pl.col("symbol") == symbol).sort("ts").collect()

    def month(self, month: int) -> pl.DataFrame:
        rows = pl.scan_delta(self.path).filter(pl.col("month") == f"{YEAR}-{month:02}")
        return rows.sort("symbol", "ts").collect()

    def close(self) -> None:
        pass

    @staticmethod
    def _with_month(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(pl.col("ts").dt.strftime("%Y-%m").alias("month"))


Contender = OurLake | DuckFile | Delta
Timings = dict[str, dict[str, list[float]]]


def timed(timings: Timings, what: str, contender: Contender, call: Callable[[], object]) -> object:
    began = time.perf_counter()
    result = call()
    timings.setdefault(what, {}).setdefault(contender.name, []).append(time.perf_counter() - began)
    return result


def run(contenders: list[Contender], symbols: list[str], months: int, repeat: int) -> Timings:
    timings: Timings = {}
    for month in range(1, months + 1):
        rows = month_of(symbols, month, range(SESSIONS), seed=0)
        for contender in contenders:
            timed(timings, "bulk write", contender, lambda c=contender, r=rows: c.write(r))
    for turn in range(repeat):
        # day 20 is stored already, day 21 is new the first time; other prices every time
        rows = month_of(symbols[-1:], months, range(SESSIONS - 1, SESSIONS + 1), seed=1 + turn)
        for contender in contenders:
            timed(timings, "overlapping-day upsert", contender, lambda c=contender, r=rows: c.upsert(r))
    for what, read in (
        ("symbol-year read", lambda contender: contender.symbol(symbols[-1])),
        ("cross-section read", lambda contender: contender.month(months)),
    ):
        for _ in range(repeat):
            results = [timed(timings, what, contender, lambda c=contender, r=read: r(c)) for contender in contenders]
            first, *others = (frame.select(BARS_1M.schema.names()) for frame in results)
            if any(not first.equals(other.cast(BARS_1M.schema)) for other in others):
                raise SystemExit(f"{what}: the contenders do not return the same rows")
    return timings


def report(timings: Timings, sizes: dict[str, int], rows: int) -> None:
    ours, *others = sizes
    print(f"{'median ms (slowest)':24}" + "".join(f"{name:>24}" for name in sizes) + "   lake takes")
    for what, samples in timings.items():
        medians = {name: statistics.median(values) * 1000 for name, values in samples.items()}
        cells = "".join(f"{medians[name]:14.1f} ({max(samples[name]) * 1000:7.1f})" for name in sizes)
        ratios = ", ".join(f"{medians[ours] / medians[name]:.2f} of {name}" for name in others)
        print(f"{what:24}{cells}   {ratios}")
    print(f"{'bytes a row on disk':24}" + "".join(f"{size / rows:24.1f}" for size in sizes.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--months", type=int, default=12, choices=range(1, 13))
    parser.add_argument("--repeat", type=int, default=9)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="barsmith-benchmark-"))
    folder.chmod(0o755)
    symbols = [f"S{number:03}" for number in range(asked.symbols)]
    rows = asked.symbols * asked.months * SESSIONS * MINUTES
    print(f"{rows:,} rows: {asked.symbols} symbols x {asked.months} months of {SESSIONS} x {MINUTES} minutes")
    try:
        with EmbeddedPostgres(folder / "postgres") as url:
            contenders = [OurLake(folder / "lake", url), DuckFile(folder / "duck"), Delta(folder / "delta")]
            timings = run(contenders, symbols, asked.months, asked.repeat)
            for contender in contenders:
                contender.close()
            contenders[0].lake.sweep(timedelta(0))
        sizes = {
            contender.name: sum(file.stat().st_size for file in (folder / place).rglob("*") if file.is_file())
            for contender, place in zip(contenders, ("lake", "duck", "delta"), strict=True)
        }
        report(timings, sizes, rows)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
