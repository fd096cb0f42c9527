"""The ingestion service with a real worker and bars that it imported, as a browser meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import polars as pl
from browser_service import ROOT, service_process

from shared.testing.postgres import fresh_database
from shared.testing.waiting import eventually
from simulated_exchange.market import Market


@dataclass
class Ingestion:
    url: str
    files: Path
    database_url: str

    def import_files(self, name: str, **more: str) -> str:
        """Import a file of the folder, or a folder in it, and return the state its job ended in."""
        job_id = httpx.post(f"{self.url}/import", json={"path": str(self.files / name), **more}).json()["job_id"]
        eventually(lambda: self.state(job_id) in ("COMPLETED", "FAILED"), timeout=60, what=f"job {job_id}")
        return self.state(job_id)

    def state(self, job_id: int) -> str:
        return httpx.get(f"{self.url}/jobs/{job_id}", headers={"Accept": "application/json"}).json()["state"]


def write_files(folder: Path) -> None:
    """A year of EDGE, two weeks of CALM with rows that are not bars, and a file that cannot be used."""
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    year = Market().bars("EDGE", datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)).rename(names)
    year.write_parquet(folder / "EDGE.parquet")
    weeks = Market().bars("CALM", datetime(2024, 6, 3, tzinfo=UTC), datetime(2024, 6, 15, tzinfo=UTC)).rename(names)
    pl.concat([weeks, weeks.head(3), weeks.head(2).with_columns(pl.col("low") * 0)]).write_parquet(
        folder / "CALM.parquet"
    )
    # an index of which two stretches are missing, so they are gaps
    rows = weeks.with_row_index()
    rows.filter(~pl.col("index").is_between(100, 129) & (pl.col("index") != 900)).drop("index").write_parquet(
        folder / "VIX.parquet"
    )
    (folder / "BAD.csv").write_text("ts,open,high,low\n2024-01-02,1,2,1\n")


@contextmanager
def ingestion_house(postgres_url: str, home: Path) -> Iterator[Ingestion]:
    """Run the service and a worker on a fresh database until the block ends; the files are imported."""
    write_files(home)
    # an exchange that somebody runs here is not asked
    nobody = {"ALPACA_API_BASE_URL": "http://127.0.0.1:1"}
    with (
        fresh_database(postgres_url) as database_url,
        service_process("ingestion_service.app", "ingestion", database_url, home, **nobody) as served,
    ):
        env = os.environ | {"DATABASE_URL": database_url, "BARSMITH_HOME": str(home), **nobody}
        worker = subprocess.Popen([sys.executable, "-m", "ingestion_service.worker"], env=env, cwd=ROOT)
        try:
            house = Ingestion(served.url, home, database_url)
            names = ("EDGE.parquet", "CALM.parquet", "VIX.parquet", "BAD.csv")
            assert [house.import_files(name) for name in names] == [*["COMPLETED"] * 3, "FAILED"]
            yield house
        finally:
            worker.terminate()
            worker.wait(timeout=20)
