"""Gaps, quarantine, filling and comparing, asked over HTTP of a house with a worker."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from shared.testing.markets import reverting_bars
from simulated_exchange.market import Market

REAL = Path(__file__).parents[4] / "shared" / "data" / "bars_1m" / "A"
needs_real_bars = pytest.mark.skipif(not REAL.is_dir(), reason="the real bars at ../shared/data are not here")
PRICES = ("open", "high", "low", "close")


def stored(house, symbol: str, **params: object) -> pl.DataFrame:
    answer = house.http.get(f"/bars/{symbol}", params={"format": "arrow", "limit": 5_000_000, **params})
    assert answer.is_success, answer.text
    return pl.read_ipc_stream(io.BytesIO(answer.content))


def imported(house, path: Path, **more: object) -> dict:
    return house.done(house.post("/import", path=str(path), **more)["job_id"], timeout=240)


def quality(house, symbol: str) -> dict:
    answer = house.http.get(f"/quality/{symbol}")
    assert answer.is_success, answer.text
    return answer.json()


def week(symbol: str = "SPY") -> pl.DataFrame:
    bars = reverting_bars(symbol, datetime(2024, 11, 25, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC), seed=4)
    return bars.drop("symbol", "source")


def test_refused_rows_are_kept_as_they_came_and_shown(open_house, tmp_path):
    bars = week()
    text = bars.with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), pl.exclude("ts").cast(pl.String))
    rows = [
        text.with_columns(
            open=pl.when(pl.int_range(pl.len()) == 100).then(pl.lit("n/a")).otherwise("open"),
            high=pl.when(pl.int_range(pl.len()) == 200).then(pl.lit("250")).otherwise("high"),
        ),
        text[300:301],
        text[301:302].with_columns(ts=pl.lit("yesterday")),
    ]
    pl.concat(rows).write_csv(tmp_path / "ABC.csv")
    house = open_house()
    result = imported(house, tmp_path / "ABC.csv")
    assert (result["rows"], result["stored"]) == (bars.height + 2, bars.height - 2)
    page = house.http.get("/quarantine", params={"symbol": "abc"}).json()
    assert page["total"] == sum(result["rejected"].values()) == 4
    by_reason = {row["reason"].split(":")[0].split(" again")[0]: row for row in page["items"]}
    assert set(by_reason) == {
        "no readable time", "a price is missing or not a finite number", "same minute", "spike",
    }  # fmt: skip
    assert '"open":"n/a"' in by_reason["a price is missing or not a finite number"]["said"]
    assert '"ts":"yesterday"' in by_reason["no readable time"]["said"]
    assert (by_reason["spike"]["high"], by_reason["spike"]["said"]) == (250.0, None)
    assert by_reason["no readable time"]["ts"] is None
    assert by_reason["spike"]["source"] == "files"
    assert quality(house, "ABC")["quarantine"] == result["rejected"]
    imported(house, tmp_path / "ABC.csv")  # the same rows again are not new ones
    assert house.http.get("/quarantine").json()["total"] == 4
    assert house.http.get("/quarantine", params={"reason": "spike"}).json()["total"] == 1
    assert house.http.get("/quarantine", params={"symbol": "XYZ"}).json()["items"] == []


def test_a_stored_bar_that_the_next_bars_show_to_be_a_spike_is_moved(open_house, tmp_path):
    bars = week()
    spike = pl.int_range(pl.len()) == 299
    bad = bars.with_columns(
        pl.when(spike).then(pl.col(name) * 3).otherwise(pl.col(name)).alias(name) for name in PRICES
    )
    bad[:300].write_parquet(tmp_path / "SPY.parquet")
    house = open_house()
    assert imported(house, tmp_path / "SPY.parquet")["rejected"] == {}
    first = house.http.get("/as-of/SPY").json()
    assert stored(house, "SPY")["close"][-1] == bad["close"][299]
    bad[300:400].write_parquet(tmp_path / "SPY.parquet")
    assert imported(house, tmp_path / "SPY.parquet")["new_rows"] == 100
    assert stored(house, "SPY")["ts"].to_list() == [*bars["ts"][:299], *bars["ts"][300:400]]
    (row,) = house.http.get("/quarantine").json()["items"]
    assert (row["close"], row["source"]) == (bad["close"][299], "files")
    assert row["ts"] == f"{bars['ts'][299]:%Y-%m-%dT%H:%M:%SZ}"
    assert stored(house, "SPY", as_of=first["changed"][0]).height == 300  # what was believed then is still known
    bars[299:300].write_parquet(tmp_path / "SPY.parquet")  # corrected
    imported(house, tmp_path / "SPY.parquet")
    assert stored(house, "SPY")["close"].to_list() == bars["close"][:400].to_list()


def test_gaps_are_asked_for_again_before_anything_is_made_up(start_exchange, open_house, tmp_path):
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    truth = Market().bars("EDGE", datetime(2024, 6, 3, tzinfo=UTC), datetime(2024, 6, 8, tzinfo=UTC)).rename(names)
    row = pl.int_range(pl.len())
    late = row.is_between(1_500, 1_509)  # a second hole of the same month: one question for both
    kept = truth.filter(~row.is_between(390, 779) & ~row.is_in([10, 11]) & ~late)
    kept = kept.with_columns(pl.col("volume") + 1)  # so that the file's bars and the exchange's differ
    kept.write_parquet(tmp_path / "EDGE.parquet")
    house = open_house(start_exchange().url)
    imported(house, tmp_path / "EDGE.parquet")
    # the file has nothing of Tuesday, and covers the sessions it has bars of
    assert house.http.get("/gaps/EDGE").json()["items"] == [
        {"start": "2024-06-03T13:40:00Z", "end": "2024-06-03T13:42:00Z", "minutes": 2, "why": "no_trade"},
        {"start": "2024-06-04T13:30:00Z", "end": "2024-06-04T20:00:00Z", "minutes": 390, "why": "outage"},
        {"start": "2024-06-06T19:00:00Z", "end": "2024-06-06T19:10:00Z", "minutes": 10, "why": "outage"},
    ]
    result = house.done(house.http.post("/backfill/EDGE").json()["job_id"])
    asked, before, came, after = (result[name] for name in ("asked", "gap_minutes_before", "new_rows", "gap_minutes"))
    assert (asked, before, came, after, result["filled"]) == (1, 400, 400, 0, 0)
    now = stored(house, "EDGE")
    assert now.filter(pl.col("source") == "simulated").height == 400
    whole = now.filter(pl.col("source") == "files")  # what the file said between the holes is not replaced
    assert whole["volume"].to_list() == kept["volume"].to_list()
    assert house.http.get("/gaps/EDGE", params={"why": "outage"}).json()["total"] == 0
    assert house.http.get("/gaps/EDGE", params={"start": "2024-06-04"}).json()["total"] == 0


def test_fills_are_off_by_default_and_dropped_again(start_exchange, open_house, tmp_path):
    bars = week("VIX").with_columns(volume=pl.lit(None, pl.Float64))
    holes = [5, *range(100, 107), 389]
    kept = bars.filter(~pl.int_range(pl.len()).is_in(holes))
    kept.write_parquet(tmp_path / "VIX.parquet")
    house = open_house(start_exchange().url)
    imported(house, tmp_path / "VIX.parquet")
    coverage = quality(house, "VIX")["coverage"]  # an index prints every minute; for a hole the file does not answer
    assert (coverage["silent_minutes"], coverage["outage_minutes"]) == (2, 7)

    once = house.done(house.http.post("/backfill/VIX", params={"max_iterations": 1}).json()["job_id"])
    assert (once["asked"], once["new_rows"], once["filled"], once["left"]) == (2, 0, 2, 7)
    before = house.http.get("/bars/VIX").json()["data_version"]
    result = house.done(house.http.post("/backfill/VIX").json()["job_id"])
    assert (result["filled"], result["left"]) == (8, 1)  # the last minute of Monday has no bar after it
    assert stored(house, "VIX").height == kept.height
    assert house.http.get("/bars/VIX").json()["data_version"] == before
    every = stored(house, "VIX", filled=True)
    assert every.filter(pl.col("source") == "filled")["ts"].to_list() == [bars["ts"][row] for row in holes[:-1]]
    assert quality(house, "VIX")["coverage"]["filled"] == 8
    assert quality(house, "VIX")["completeness"] == pytest.approx(kept.height / bars.height)  # made up is not known

    drawn = house.http.get("/symbols/VIX/chart", params={"filled": True}).json()
    made_up = [bars["ts"][row].timestamp() for row in holes[:-1]]
    # every made-up candle stands in a band; the minute that stayed a hole is in that of the bar before it
    shaded = [at for at, gaps in zip(drawn["time"], drawn["shade"], strict=True) if gaps]
    assert (len(drawn["time"]), shaded) == (kept.height + 8, [*made_up, bars["ts"][388].timestamp()])
    asked = "/symbols/VIX/chart?filled=true"
    page = house.http.get("/symbols/VIX", headers={"Accept": "text/html"}).text
    assert (asked in page, "Show them in the candles" in page) == (False, True)
    assert asked in house.http.get("/symbols/VIX?filled=true", headers={"Accept": "text/html"}).text

    bars[5:6].write_parquet(tmp_path / "late.parquet")
    imported(house, tmp_path / "late.parquet", symbol="VIX")
    assert stored(house, "VIX", filled=True).filter(pl.col("ts") == bars["ts"][5])["source"].to_list() == ["files"]
    assert quality(house, "VIX")["coverage"]["filled"] == 7
    dropped = house.http.delete("/backfill/VIX", params={"end": "2024-11-25T15:00:00Z"}).json()
    assert dropped == {"symbol": "VIX", "dropped": 1}
    assert house.http.delete("/backfill/VIX").json()["dropped"] == 7
    assert stored(house, "VIX", filled=True).height == kept.height + 1


def test_nothing_is_made_up_while_who_is_asked_refuses_to_answer(start_exchange, open_house, tmp_path):
    bars = week("VIX")
    bars.filter(pl.int_range(pl.len()) != 50).write_parquet(tmp_path / "VIX.parquet")
    house = open_house(start_exchange().url, key="wrong")
    imported(house, tmp_path / "VIX.parquet")
    job = house.ended(house.http.post("/backfill/VIX").json()["job_id"])
    assert (job["state"], job["attempt"]) == ("FAILED", 1)
    assert "403" in job["error"]
    assert stored(house, "VIX", filled=True).height == bars.height - 1
    assert quality(house, "VIX")["failed_asks"][0]["kind"] == "refused"


def test_a_second_provider_refutes_a_bar(start_exchange, open_house, tmp_path):
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    truth = Market().bars("EDGE", datetime(2024, 6, 3, tzinfo=UTC), datetime(2024, 6, 5, tzinfo=UTC)).rename(names)
    wrong = pl.int_range(pl.len()).is_in([200, 201, 202, 203, 204, 205])  # too many in a row to be seen as spikes
    bad = truth.with_columns(pl.when(wrong).then(pl.col(n) * 1.03).otherwise(pl.col(n)).alias(n) for n in PRICES)
    bad.write_parquet(tmp_path / "EDGE.parquet")
    house = open_house(start_exchange().url)
    assert imported(house, tmp_path / "EDGE.parquet")["rejected"] == {}
    span = {"start": "2024-06-03", "end": "2024-06-05", "provider": "simulated"}
    result = house.done(house.post("/compare/EDGE", **span)["job_id"])
    assert (result["minutes"], result["agreed"], result["contradicted"]) == (780, 774, 6)
    assert house.http.get("/quarantine", params={"reason": "contradicted"}).json()["total"] == 6
    assert stored(house, "EDGE")["close"].to_list() == truth["close"].to_list()
    again = house.done(house.post("/compare/EDGE", **span)["job_id"])
    assert (again["minutes"], again["contradicted"]) == (774, 0)  # its own bars are not compared with itself


WRONG = [
    ("GET", "/quality/NOPE", None, 404, "there are no bars of NOPE"),
    ("GET", "/gaps/NOPE", None, 404, "there are no bars of NOPE"),
    ("GET", "/gaps/SPY?why=luck", None, 422, "why"),
    ("GET", "/quarantine?symbol=a%20b", None, 400, "not a ticker"),
    ("POST", "/backfill/NOPE", None, 404, "there are no bars of NOPE"),
    ("POST", "/backfill/SPY?max_iterations=0", None, 422, "max_iterations"),
    ("POST", "/compare/SPY", {"start": "2024-01-01", "end": "2024-02-01", "provider": "oracle"}, 400, "oracle"),
    (
        "POST",
        "/compare/SPY",
        {"start": "2024-03-01", "end": "2024-02-01", "provider": "yahoo"},
        422,
        "later than start",
    ),
    ("POST", "/actions/SPY/fetch", {"start": "2024-03-01", "end": "2024-02-01"}, 422, "later than start, 2024-03-01"),
    ("POST", "/actions/SPY", [{"kind": "split", "ex_date": "2024-01-02", "value": 0}], 400, "is not positive"),
    ("POST", "/actions/SPY", [{"kind": "split", "ex_date": "2024-01-02", "value": 1e12}], 400, "1e+12 new shares for"),
    ("POST", "/actions/SPY", [{"kind": "split", "ex_date": "2024-01-02", "value": 9e-5}], 400, "from 0.0001 to 10,000"),
    ("POST", "/actions/SPY", [{"kind": "rename", "ex_date": "2024-01-02"}], 400, "`former` must be"),
    (
        "POST",
        "/actions/SPY/fetch",
        {"start": "2024-01-01", "end": "2024-02-01", "provider": "simulated"},
        400,
        "provider simulated has no corporate actions: name one that has, yahoo",
    ),
    ("POST", "/actions/SPY", [], 422, "at least 1"),
    ("DELETE", "/actions/SPY/split/2024-01-02", None, 404, "SPY has no split on 2024-01-02"),
    ("POST", "/actions/import", {"path": "/nowhere"}, 400, "no such file"),
    ("GET", "/as-of/NOPE", None, 404, "no bars of NOPE"),
    ("GET", "/bars/SPY?timeframe=7m", None, 422, "timeframe"),
    ("POST", "/retention/preview", {"datasets": {"nonsense": 5}}, 400, "nonsense"),
    ("PUT", "/retention", {"datasets": {"bars_1m": -5}}, 422, "greater than or equal to 1"),
    ("PUT", "/retention", {"datasets": {"bars_1m": 1e300}}, 422, "less than or equal"),
    ("POST", "/agents/scan/start", {"options": {"every_minutes": 1e300}}, 400, "every_minutes"),
    ("GET", "/bars/SPY?timefrme=1h", None, 422, "timefrme"),
    ("POST", "/ingest/SPY", {"start": "2024-01-01", "end": "2024-02-01", "providr": "yahoo"}, 422, "providr"),
    ("POST", "/watchlist", {"symbols": ["SPY"], "start": "2024-01-01"}, 422, "start"),
]


def test_wrong_questions_are_told_what_is_wrong(open_house):
    house = open_house()
    for method, path, body, status, said in WRONG:
        answer = house.http.request(method, path, json=body)
        assert answer.status_code == status, (path, answer.text)
        assert said in answer.json()["detail"]


@needs_real_bars
def test_the_facts_of_the_real_sets_are_told(open_house):
    house = open_house()
    imported(house, REAL / "us2019feb", glob="VIX.parquet")
    imported(house, REAL / "us2024", glob="TPL.parquet")
    vix, tpl = quality(house, "VIX"), quality(house, "TPL")
    assert (vix["coverage"]["silent_minutes"], vix["coverage"]["outage_minutes"]) == (27, 0)
    assert sum(gap["minutes"] for gap in house.http.get("/gaps/VIX").json()["items"]) == 27
    assert vix["completeness"] == pytest.approx(1_923 / 1_950)
    assert (tpl["coverage"]["sessions"], tpl["coverage"]["outage_minutes"], tpl["completeness"]) == (252, 0, 1.0)
    assert tpl["coverage"]["no_trade_minutes"] == tpl["coverage"]["missing_minutes"] > 70_000
    assert min(one["stored"] for one in tpl["sessions"]) == 3
    for report in (vix, tpl):
        assert (report["quarantine"], report["suspected_splits"], report["failed_asks"]) == ({}, [], [])


@needs_real_bars
@pytest.mark.slow
def test_all_real_minutes_come_in_and_none_is_lost(open_house):
    house = open_house()
    files = sorted(REAL.glob("*/*.parquet"))
    result = imported(house, REAL, glob="*/*.parquet")
    assert result["rows"] == sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in files)
    quarantined = house.http.get("/quarantine").json()["total"]
    assert (quarantined, result["stored"]) == (sum(result["rejected"].values()), result["rows"] - quarantined)
    assert quarantined == 0
    covered = {row["symbol"]: row for row in house.http.get("/coverage", params={"per_page": 500}).json()["items"]}
    distinct = pl.concat([pl.scan_parquet(file).select("symbol", "ts") for file in files]).unique()
    assert sum(row["rows"] for row in covered.values()) == distinct.select(pl.len()).collect().item()
    assert {symbol for symbol, row in covered.items() if row["silent_minutes"]} == {"VIX"}
    assert quality(house, "VIX")["coverage"]["silent_minutes"] == 27
    spy = quality(house, "SPY")
    year = [one for one in spy["sessions"] if "2024-03-26" <= one["date"] <= "2025-04-02"]
    # full but for the last day, which ends at 15:23 in New York
    assert (len(year), [one["expected"] - one["stored"] for one in year]) == (256, [0] * 255 + [36])
