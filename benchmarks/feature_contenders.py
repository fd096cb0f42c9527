"""Who competes in `features.py`: the catalogue and its peers, each in its own process, on the same made-up bars."""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
# pyright: basic
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

import json
import resource
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from feature_service.domain.bars import bars_of, usable
from feature_service.domain.catalogue import FULL, FeatureSet
from shared.contracts.datasets import BARS_1M, TS
from shared.contracts.sessions import sessions_between

START = datetime(2019, 1, 1, tzinfo=UTC)
#: rows after which averages have forgotten their seeds
SETTLED = 5_000


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


def prepared(name: str, years: int, rows: int) -> tuple[Callable[[], object], int]:
    """Return one contender's whole work on bars that are there, and how many rows these have."""
    frame = made_up("X", START, START.replace(year=START.year + years), seed=1)
    frame = frame.head(rows) if rows else frame
    if name.startswith("barsmith"):
        wanted = name.partition(":")[2].split(",") if ":" in name else FULL.columns
        columns = FeatureSet("bench", tuple(FULL.feature(one) for one in wanted))
        bars = bars_of(usable(frame))
        # a copy each time: what features share is kept with the bars
        return lambda: columns.compute(replace(bars)), frame.height
    warnings.simplefilter("ignore")
    from benchmarks import feature_peers

    given = frame if name == "polars" else frame.to_pandas()
    return partial(getattr(feature_peers, f"with_{name}"), given), frame.height


def contend(name: str, years: int, rows: int) -> None:
    """Compete: work once for every line that comes in, and answer each with what it took and gave."""
    work, height = prepared(name, years, rows)
    for line in sys.stdin:
        begin, cpu = time.perf_counter(), time.process_time()
        made = work()
        found = {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu, "rows": height}
        found["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        columns = pl.DataFrame(made)
        found["columns"] = [one for one in columns.columns if one != "ts"]
        if line.strip():
            columns.write_parquet(line.strip())
        del made, columns
        print(json.dumps(found), flush=True)


@contextmanager
def contender(name: str, years: int, rows: int = 0) -> Iterator[Callable[..., dict[str, Any]]]:
    """Start a contender in a process of its own; what is handed out makes it work once, and returns its answer."""
    command = [sys.executable, __file__, name, str(years), str(rows)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:

        def work(keep: Path | str = "") -> dict[str, Any]:
            print(keep, file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield work
        process.stdin.close()


def best(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the last run's answer with the least seconds of all."""
    return {**runs[-1], **{what: min(one[what] for one in runs) for what in ("seconds", "cpu")}}


def agreeing(ours: pl.DataFrame, theirs: pl.DataFrame) -> int:
    """Return how many columns hold the same values in all but a hundredth of the rows."""
    count = 0
    for name in theirs.columns:
        pair = [frame[name].cast(pl.Float64).to_numpy()[SETTLED : theirs.height] for frame in (ours, theirs)]
        count += np.isclose(*pair, rtol=1e-6, atol=1e-6 * float(np.nanstd(pair[1])), equal_nan=True).mean() > 0.99
    return count


if __name__ == "__main__":
    contend(sys.argv[1], *map(int, sys.argv[2:]))
