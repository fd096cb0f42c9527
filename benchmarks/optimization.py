"""How long a batch takes: 96 simulations, cold start of everything included, then thousands on warm workers.

    python benchmarks/optimization.py [--trials 5000] [--workers 2]

The older design needed about 12 minutes for 96 simulations (6 models x 1 symbol x 16 settings). Here the same number
runs over one year of minutes (252 sessions, 98,280 bars a model), three ways:

* cold: an empty data folder; the clock runs from the start of the first worker process (imports, compiling the kernel)
  to the last row of the leaderboard;
* warm: other costs, so nothing is reused, on the workers that run already;
* many: one model under thousands of settings, likewise.

Bars and predictions are drawn and stored before the clock starts, as they would be by the other services.
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import polars as pl
from fastapi import FastAPI
from pydantic import SecretStr

from optimization_service.app import create_app
from optimization_service.settings import Settings
from optimization_service.wiring import assemble
from shared.contracts.datasets import BARS_1M, PREDICTIONS
from shared.contracts.sessions import sessions_between
from shared.storage.embedded import EmbeddedPostgres
from shared.storage.lake import Lake
from shared.testing.servers import serving

START = datetime(2023, 1, 3, tzinfo=UTC)
END = datetime(2024, 1, 5, tzinfo=UTC)
MODELS = [hashlib.sha256(f"model {number}".encode()).hexdigest() for number in range(6)]
SIXTEEN = {"threshold": [0.0001, 0.0005, 0.001, 0.002], "hold_bars": [0, 5, 15, 30]}


def registry() -> FastAPI:
    """Make the part of the training service that a batch asks."""
    app = FastAPI()

    @app.get("/models/{name}")
    def model(name: str) -> dict[str, Any]:
        train = {"start": (START - timedelta(days=30)).isoformat(), "end": START.isoformat()}
        target = {"kind": "log_return", "horizon_bars": 15}
        return {"fingerprint": name, "symbol": "SPY", "train": train, "target": target, "metrics": {"ic": 0.01}}

    return app


def fill(lake: Lake) -> int:
    """Store a year of one symbol and what six models said about it; return how many bars that is."""
    span = (int(START.timestamp() * 1e6), int(END.timestamp() * 1e6))
    ts = sessions_between(*span).expected_minutes()
    stamps = pl.Series(ts.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 4e-4, len(ts))))
    prices = {"open": close, "high": close * 1.0002, "low": close * 0.9998, "close": close}
    bars = pl.DataFrame({"symbol": ["SPY"] * len(ts), "ts": stamps, **prices, "volume": np.full(len(ts), 1e4)})
    lake.upsert(BARS_1M, bars.with_columns(pl.lit("drawn").alias("source")))
    for model in MODELS:
        said = pl.DataFrame({"model": [model] * len(ts), "symbol": ["SPY"] * len(ts), "ts": stamps})
        values = pl.Series("prediction", rng.normal(0, 4e-4, len(ts)))
        lake.upsert(PREDICTIONS, said.with_columns(values, pl.lit(-1, pl.Int16).alias("fold")))
    return len(ts)


def batch(
    http: httpx.Client, models: Sequence[str], axes: Mapping[str, Sequence[object]], half_spread_bps: float
) -> int:
    """Run a batch to its end and return how many trials it ranked."""
    body = {"models": list(models), "axes": axes, "costs": {"half_spread_bps": half_spread_bps}}
    answer = http.post("/batches", json=body)
    answer.raise_for_status()
    while True:
        seen = http.get(answer.json()["link"]).json()
        if seen["state"] not in ("PENDING", "RUNNING"):
            break
        time.sleep(0.02)
    if seen["state"] != "COMPLETED":
        sys.exit(f"the batch is {seen['state']}: {seen['note']} {[m['error'] for m in seen['members']]}")
    return int(http.get("/leaderboard", params={"batch": seen["fingerprint"], "per_page": 1}).json()["total"])


def start_workers(count: int, environment: Mapping[str, str]) -> list[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "barsmith", "worker", "--kinds"]
    command.append("simulation.sweep,optimization.batch,optimization.sweep,optimization.rank")
    return [subprocess.Popen(command, env=dict(environment), stderr=subprocess.DEVNULL) for _ in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as url,
        serving(registry()) as training,
    ):
        settings = Settings(database_url=SecretStr(url), home=Path(folder), training_url=str(training.base_url))
        with assemble(settings) as wired:
            bars = fill(wired.resources.lake)
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "BARSMITH_HOME": folder,
            "BARSMITH_TRAINING_URL": settings.training_url,
        }
        environment.pop("NUMBA_CACHE_DIR", None)
        measure(settings, environment, asked.workers, asked.trials, bars)


def measure(settings: Settings, environment: Mapping[str, str], workers: int, trials: int, bars: int) -> None:
    steps = np.linspace(1e-4, 2e-3, max(2, trials // 20)).tolist()
    many = {"threshold": steps, "hold_bars": list(range(0, 100, 5))}
    with serving(create_app(settings)) as http:
        began = time.perf_counter()
        crew = start_workers(workers, environment)
        try:
            print(f"{workers} workers, {bars:,} bars a model")
            for name, models, axes, spread in (
                ("cold", MODELS, SIXTEEN, 0.5),
                ("warm", MODELS, SIXTEEN, 0.6),
                ("many", MODELS[:1], many, 0.5),
            ):
                found = batch(http, models, axes, spread)
                seconds, began = time.perf_counter() - began, time.perf_counter()
                print(f"{name}: {found:,} simulations in {seconds:.1f} s, {found / seconds:,.0f} a second")
        finally:
            for worker in crew:
                worker.terminate()
            for worker in crew:
                worker.wait(timeout=15)


if __name__ == "__main__":
    main()
