"""What retention removes, asked over HTTP; its runs are real jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl

from shared.clock import SystemClock
from shared.contracts.datasets import BARS_1D, BARS_1M, QUARANTINE
from shared.contracts.splits import PRICES
from shared.jobs.context import JobContext
from shared.storage.lake import Lake
from shared.storage.postgres import Database
from shared.testing.markets import reverting_bars
from simulated_exchange.market import Market


def ago(days: int) -> str:
    return f"{SystemClock().now() - timedelta(days=days):%Y-%m-%d}"


def test_retention_removes_what_its_rules_name_and_nothing_else(open_shop):
    shop = open_shop()
    shop.http.post("/ingest/EDGE", json={"start": "2024-05-01", "end": "2024-05-20"})
    shop.http.post("/ingest/EDGE", json={"start": ago(20), "end": ago(10)})
    shop.work("ingestion.ingest")
    before = shop.http.get("/symbols/EDGE").json()
    shop.do("retention", "start")
    shop.work("ingestion.retention_agent")
    assert shop.http.get("/symbols/EDGE").json()["rows"] == before["rows"]

    rules = {"superseded_days": None, "jobs_days": None, "datasets": {"bars_1m": 365}}
    shown = shop.http.post("/retention/preview", json=rules).json()["would_remove"]
    assert [(one["count"], one["bytes"] > 0) for one in shown] == [(1, True)]
    assert shop.http.get("/symbols/EDGE").json()["rows"] == before["rows"]  # a dry run
    assert shop.http.get("/retention").json()["rules"]["datasets"] == {}

    assert shop.http.put("/retention", json=rules).status_code == 200
    shop.do("retention", "start")
    shop.work("ingestion.retention_agent")
    after = shop.http.get("/symbols/EDGE").json()
    assert after["first"][:10] >= ago(20)
    assert (
        after["rows"]
        == before["rows"]
        - Market().bars("EDGE", datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 20, tzinfo=UTC)).height
    )
    # what was removed counts as never asked for: asked again, it is there again
    shop.http.post("/ingest/EDGE", json={"start": "2024-04-25", "end": "2024-05-20"})
    shop.work("ingestion.ingest")
    again = shop.http.get("/coverage").json()["items"][0]
    assert again["first"][:10] == "2024-04-25"
    assert again["rows"] > before["rows"]
    refused = shop.http.put("/retention", json={"datasets": {"features": 10}})
    assert refused.status_code == 400
    assert "bars_1m" in refused.json()["detail"]


def test_the_backfill_does_not_bring_back_what_retention_takes_away(open_shop):
    shop = open_shop()
    assert shop.http.put("/retention", json={"datasets": {"bars_1m": 20}}).status_code == 200
    shop.http.post("/watchlist", json={"symbols": ["EDGE"], "since": ago(80)})
    shop.do("backfill", "start")
    shop.work("ingestion.backfill_agent")
    assert ago(20) <= shop.http.get("/symbols/EDGE").json()["first"][:10] <= ago(14)


def test_of_daily_bars_single_days_go(open_shop, tmp_path: Path, database: Database):
    shop, now = open_shop(), SystemClock().now()
    lake = Lake(database, str(tmp_path / "home" / "lake"), SystemClock())
    days = pl.datetime_range(now - timedelta(days=400), now - timedelta(days=1), "1d", eager=True, time_zone="UTC")
    bars = pl.DataFrame({"ts": days.cast(BARS_1D.schema["ts"])}).with_columns(
        symbol=pl.lit("SPY"), source=pl.lit("yahoo 1d"), volume=pl.lit(1.0), **{one: pl.lit(5.0) for one in PRICES}
    )
    lake.upsert(BARS_1D, bars.select(BARS_1D.schema.names()))
    rules = {"superseded_days": None, "jobs_days": None, "datasets": {"bars_1d": 100.5}}
    shown = shop.http.post("/retention/preview", json=rules).json()["would_remove"]
    assert [one["count"] for one in shown] == [300]
    assert shop.http.put("/retention", json=rules).status_code == 200
    shop.do("retention", "start")
    [done] = shop.work("ingestion.retention_agent")
    assert done.result["bars_1d"] == {"rows_removed": 300}
    kept = lake.read(lake.snapshot(BARS_1D, symbol="SPY"))
    assert kept.equals(bars.select(kept.columns).tail(100))


def test_a_bar_that_comes_after_its_month_was_listed_keeps_the_month(open_shop, tmp_path: Path, database: Database):
    shop, now = open_shop("http://127.0.0.1:9"), SystemClock().now()
    lake = Lake(database, str(tmp_path / "home" / "lake"), SystemClock())
    # the rule keeps what is from the middle of a month on, of which only the first days are stored
    middle = (now - timedelta(days=60)).replace(day=16, hour=0, minute=0, second=0, microsecond=0)
    early, late = middle - timedelta(days=15), middle + timedelta(days=1)
    for symbol in ("QQQ", "SPY"):
        lake.upsert(BARS_1M, reverting_bars(symbol, early, early + timedelta(days=7), seed=1))
    came = reverting_bars("SPY", late, late + timedelta(days=7), seed=2)
    days = (now - middle) / timedelta(days=1)
    rules = {"superseded_days": None, "jobs_days": None, "datasets": {"bars_1m": days}}
    assert shop.http.put("/retention", json=rules).status_code == 200
    shop.do("retention", "start")
    token = uuid4()
    [job] = shop.queue.claim(["ingestion.retention_agent"], 1, token, "test").jobs

    def a_bar_comes(_: float, note: str) -> None:
        if "symbol=SPY" in note:
            lake.upsert(BARS_1M, came)

    ctx = JobContext(
        job_id=job.id,
        kind=job.kind,
        payload=job.payload,
        priority=job.priority,
        attempt=job.attempt,
        token=token,
        report=a_bar_comes,
    )
    outcome = shop.works["ingestion.retention_agent"](ctx)
    assert outcome.result["bars_1m"] == {"months_removed": 1}
    stored = {row["symbol"]: row for row in shop.http.get("/coverage").json()["items"]}
    assert set(stored) == {"SPY"}
    assert datetime.fromisoformat(stored["SPY"]["first"]) < middle <= datetime.fromisoformat(stored["SPY"]["last"])


def test_the_quarantine_keeps_rows_by_when_they_were_refused(open_shop, tmp_path: Path, database: Database):
    shop, file = open_shop(), tmp_path / "ROWS.csv"
    lines = [f"2024-05-01T14:{minute}:00Z,1,1,{low},1,5" for minute, low in ((30, 1), (31, 2), (32, 1), (33, 3))]
    file.write_text("\n".join(["ts,open,high,low,close,volume", *lines]))
    shop.http.post("/import", json={"path": str(file)})
    shop.work("ingestion.import")
    rules = {"superseded_days": None, "jobs_days": None, "datasets": {"quarantine": 30}}
    shown = shop.http.post("/retention/preview", json=rules).json()["would_remove"]
    assert [one["count"] for one in shown] == [0]  # of minutes years ago, refused just now
    assert shop.http.put("/retention", json=rules).status_code == 200
    shop.do("retention", "start")
    shop.work("ingestion.retention_agent")
    assert shop.http.get("/quarantine", params={"symbol": "ROWS"}).json()["total"] == 2

    lake = Lake(database, str(tmp_path / "home" / "lake"), SystemClock())
    rows = lake.read(lake.snapshot(QUARANTINE, symbol="ROWS"))
    longer_ago = pl.when(pl.col("low") == 2).then(pl.col("received") - timedelta(days=31)).otherwise("received")
    lake.upsert(QUARANTINE, rows.with_columns(received=longer_ago))
    shown = shop.http.post("/retention/preview", json=rules).json()["would_remove"]
    assert [one["count"] for one in shown] == [1]
    shop.do("retention", "start")
    shop.work("ingestion.retention_agent")
    [left] = shop.http.get("/quarantine", params={"symbol": "ROWS"}).json()["items"]
    assert left["low"] == 3
