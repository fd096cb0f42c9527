from __future__ import annotations

import os
import resource
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import polars as pl
import pytest

from shared.clock import FixedClock
from shared.contracts.datasets import BARS_1M, FEATURES
from shared.errors import Conflict, Unavailable
from shared.storage.duck import connect
from shared.storage.lake import Lake, migrate_lake
from shared.storage.postgres import Database
from shared.testing.postgres import fresh_database

START = datetime(2024, 5, 31, 13, 30, tzinfo=UTC)


def bars(count: int, price: float = 1.0, symbol: str = "SPY") -> pl.DataFrame:
    noise = np.random.default_rng(0).normal(price, 0.1, count)
    return pl.DataFrame(
        {
            "symbol": [symbol] * count,
            "ts": [START + timedelta(hours=i) for i in range(count)],
            **dict.fromkeys(("open", "high", "low", "close", "volume"), noise),
            "source": ["test"] * count,
        },
        schema=BARS_1M.schema,
    )


@pytest.fixture(params=["folder", "file", "memory"])
def any_lake(request: pytest.FixtureRequest, database: Database, data_dir: Path, clock: FixedClock) -> Lake:
    migrate_lake(database)
    spaced = data_dir / "a lake"
    root = {"folder": str(spaced), "file": spaced.as_uri(), "memory": f"memory://lake-{uuid4().hex}"}
    return Lake(database, root[request.param], clock)


def parquet_files(lake: Lake) -> list[str]:
    return [path for path, _, _ in lake.files.all() if path.endswith(".parquet")]


def test_every_kind_of_root_reads_writes_and_sweeps(any_lake: Lake, clock: FixedClock) -> None:
    old, new = bars(40), bars(50, price=2.0)
    any_lake.upsert(BARS_1M, old)
    before = any_lake.snapshot(BARS_1M)
    any_lake.upsert(BARS_1M, new)
    assert any_lake.read(before).equals(old)
    assert any_lake.read(any_lake.snapshot(BARS_1M)).equals(new)
    assert len(parquet_files(any_lake)) == 4
    # the folder's clock is the machine's, which is years later than the test's
    clock.advance(timedelta(days=20_000))
    assert any_lake.sweep(timedelta(0)).superseded == 2
    assert len(parquet_files(any_lake)) == 2
    assert any_lake.read(any_lake.snapshot(BARS_1M)).equals(new)


def test_sql_sees_every_dataset_on_every_kind_of_root(any_lake: Lake) -> None:
    any_lake.upsert(BARS_1M, bars(40))
    any_lake.upsert(BARS_1M, bars(50, price=2.0))
    key = pl.DataFrame({"feature_set": ["s"], "symbol": ["A/B"], "ts": [START]}, schema=FEATURES.schema)
    any_lake.upsert(FEATURES, key.with_columns(rsi=pl.lit(1.0, pl.Float32)))
    any_lake.upsert(
        FEATURES,
        key.with_columns(ts=pl.col("ts") + timedelta(days=40), atr=pl.lit(2.0, pl.Float32)),
    )
    with connect(any_lake) as con:
        assert con.sql("select count(*), min(close) > 1.5 from bars_1m").fetchall() == [(50, True)]
        assert con.sql("select ts::varchar from bars_1m order by ts limit 1").fetchall() == [
            ("2024-05-31 13:30:00+00",)
        ]
        assert con.sql("select symbol, rsi, atr from features order by ts").fetchall() == [
            ("A/B", 1.0, None),
            ("A/B", None, 2.0),
        ]
        assert con.sql("select count(*) from trials").fetchall() == [(0,)]
        assert con.sql("describe predictions").fetchall()[2][:2] == ("ts", "TIMESTAMP WITH TIME ZONE")


def test_an_address_that_nothing_can_open_is_named(database: Database, clock: FixedClock) -> None:
    with pytest.raises(Unavailable, match="the lake's address nonsense://bucket cannot be opened"):
        Lake(database, "nonsense://bucket", clock)


def leftovers(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*.tmp")]


def test_a_write_that_hits_a_limit_changes_nothing(lake: Lake, data_dir: Path) -> None:
    lake.upsert(BARS_1M, bars(30))
    before = lake.snapshot(BARS_1M)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(Unavailable, match="File too large; nothing was changed"):
            lake.upsert(BARS_1M, bars(3000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert lake.snapshot(BARS_1M) == before
    assert leftovers(data_dir / "lake") == []
    lake.upsert(BARS_1M, bars(3000))
    assert lake.read(lake.snapshot(BARS_1M)).equals(bars(3000))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_changes_nothing_and_a_sweep_makes_room(
    database: Database, data_dir: Path, clock: FixedClock
) -> None:
    small = data_dir / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)], check=False).returncode != 0:
        pytest.skip("no right to mount a small disk here")
    try:
        migrate_lake(database)
        lake = Lake(database, str(small / "lake"), clock)
        lake.upsert(BARS_1M, bars(700))
        before = lake.snapshot(BARS_1M)
        with pytest.raises(Unavailable, match="the disk is full; nothing was changed"):
            lake.upsert(BARS_1M, pl.concat([bars(2500, symbol=symbol) for symbol in ("SPY", "QQQ", "IWM")]))
        assert lake.snapshot(BARS_1M) == before
        assert lake.read(before).equals(bars(700))
        assert leftovers(small) == []
        clock.advance(timedelta(days=20_000))
        assert lake.sweep(timedelta(0)).orphans > 0
        lake.upsert(BARS_1M, bars(900))
        assert lake.read(lake.snapshot(BARS_1M)).equals(bars(900))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_drafts_of_killed_writers_are_swept_when_old_and_only_then(lake: Lake, clock: FixedClock) -> None:
    lake.upsert(BARS_1M, bars(30))
    folder = Path(lake.files.address(lake.partitions(BARS_1M)[0].path(BARS_1M))).parent
    for name, age in ((".old.parquet.1.tmp", 2), ("old.parquet", 2), ("young.parquet", 0)):
        (folder / name).write_bytes(b"half")
        moment = (clock.now() - timedelta(hours=age)).timestamp()
        os.utime(folder / name, (moment, moment))
    report = lake.sweep(timedelta(hours=1))
    assert (report.superseded, report.orphans, report.bytes) == (0, 2, 8)
    assert (folder / "young.parquet").exists()
    assert lake.read(lake.snapshot(BARS_1M)).equals(bars(30))


def test_a_sweep_with_another_database_on_the_same_root_is_refused(
    postgres_url: str, database: Database, data_dir: Path, clock: FixedClock
) -> None:
    migrate_lake(database)
    lake = Lake(database, str(data_dir), clock)
    lake.upsert(BARS_1M, bars(30))
    with fresh_database(postgres_url) as url:
        other = Database(url, application_name="test")
        migrate_lake(other)
        clock.advance(timedelta(days=20_000))
        with pytest.raises(Conflict, match="another database's lake has its files here too"):
            Lake(other, str(data_dir), clock).sweep(timedelta(0))
        other.close()
    assert lake.read(lake.snapshot(BARS_1M)).equals(bars(30))
    assert lake.sweep(timedelta(0)).orphans == 0
