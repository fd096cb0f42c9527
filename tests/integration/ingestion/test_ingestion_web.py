"""JSON routes and pages on a real server, over bars that were really imported."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

HTML = {"Accept": "text/html"}
BEGIN = datetime(2024, 5, 1, 13, 30, tzinfo=UTC)


@pytest.fixture
def house(open_house, tmp_path):
    """A house with 3,900 bars (ten sessions) of ABC and one bar of XYZ, and no worker any more."""
    house = open_house()
    days = [BEGIN + timedelta(days=day) for day in (0, 1, 2, 5, 6, 7, 8, 9, 12, 13)]
    stamps = [day + timedelta(minutes=minute) for day in days for minute in range(390)]
    close = [100 + i / 100 for i in range(len(stamps))]
    frame = pl.DataFrame({"ts": stamps, "open": close, "high": close, "low": close, "close": close, "volume": 1})
    (tmp_path / "in").mkdir()
    frame.write_parquet(tmp_path / "in" / "ABC.parquet")
    frame.head(1).drop("volume").write_csv(tmp_path / "in" / "XYZ.csv")
    house.done(house.post("/import", path=str(tmp_path / "in"))["job_id"])
    return house


def test_bars_come_as_json_csv_and_parquet(house):
    span = {"start": "2024-05-01T13:31:00Z", "end": "2024-05-02", "limit": 3}
    answer = house.http.get("/bars/abc", params=span)
    body = answer.json()
    assert (body["symbol"], body["count"], body["truncated"]) == ("ABC", 3, True)
    assert body["bars"][0] == {
        "symbol": "ABC", "ts": "2024-05-01T13:31:00Z", "open": 100.01, "high": 100.01, "low": 100.01, "close": 100.01,
        "volume": 1.0, "source": "files",
    }  # fmt: skip
    assert len(body["data_version"]) == 64
    csv = pl.read_csv(house.http.get("/bars/ABC", params={**span, "format": "csv"}).content)
    assert csv["ts"].to_list() == [bar["ts"] for bar in body["bars"]]
    parquet = pl.read_parquet(io.BytesIO(house.http.get("/bars/ABC", params={**span, "format": "parquet"}).content))
    assert parquet["close"].to_list() == [100.01, 100.02, 100.03]
    assert answer.headers["X-Truncated"] == "true"
    assert house.http.get("/bars/XYZ").json()["bars"][0]["volume"] is None


def test_candles_are_few_enough_and_finer_when_zoomed(house):
    coarse = house.http.get("/bars/ABC/lod").json()
    assert len(coarse["time"]) == 1_950  # two minutes each
    assert (coarse["open"][0], coarse["close"][-1]) == (100.0, 138.99)
    assert (coarse["timeframe"], coarse["candle"]) == ("1m", "2m")
    table = pl.read_csv(house.http.get("/bars/ABC/lod", params={"format": "csv"}).content, try_parse_dates=True)
    assert table["ts"].dt.epoch("s").to_list() == coarse["time"]
    assert table["close"].to_list() == coarse["close"]
    assert house.http.get("/symbols/ABC/chart", params={"timeframe": "1h"}).json()["candle"] == "1h"
    zoom = {"from": int(BEGIN.timestamp()), "to": int(BEGIN.timestamp()) + 3_600}
    fine = house.http.get("/bars/ABC/lod", params=zoom).json()
    assert fine["time"] == [zoom["from"] + 60 * i for i in range(60)]
    assert len(house.http.get("/bars/ABC/lod", params={"limit": 10}).json()["time"]) == 10
    assert house.http.get("/bars/XYZ/lod").json()["volume"] == [None]
    assert house.http.get("/bars/ABC/lod", params={"from": "2030-01-01"}).json()["time"] == []


def test_coverage_is_sorted_filtered_and_paged_on_the_server(house):
    rows = house.http.get("/coverage", params={"sort": "-rows"}).json()
    assert [(row["symbol"], row["rows"], row["sessions"]) for row in rows["items"]] == [
        ("ABC", 3_900, 10),
        ("XYZ", 1, 1),
    ]
    assert house.http.get("/coverage", params={"sort": "rows", "per_page": 1}).json()["items"][0]["symbol"] == "XYZ"
    assert house.http.get("/coverage", params={"search": "xy"}).json()["total"] == 1
    assert [row["symbol"] for row in house.http.get("/symbols").json()] == ["ABC", "XYZ"]
    assert house.http.get("/symbols/abc").json()["missing_minutes"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/bars/NOPE", None, 404, "there are no bars of NOPE"),
        ("GET", "/bars/NOPE/lod", None, 404, "there are no bars of NOPE"),
        ("GET", "/symbols/NOPE", None, 404, "there are no bars of NOPE"),
        ("GET", "/bars/not%20one", None, 400, "is not a ticker"),
        ("GET", "/coverage?sort=luck", None, 400, "use one of symbol, first, last, rows, refused, last_error"),
        ("GET", "/bars/ABC?start=yesterday", None, 422, "start"),
        ("GET", "/bars/ABC?start=2024-01-01T00:00:00", None, 422, "start"),
        ("GET", "/bars/ABC?limit=0", None, 422, "limit"),
        ("GET", "/bars/ABC/lod?limit=2501", None, 422, "limit"),
        ("GET", "/bars/ABC/lod?from=2024-05-02&to=2024-05-01", None, 422, "to 2024-05-01 00:00 must not be before"),
        ("GET", "/symbols/ABC/chart?from=2024-05-02&to=2024-05-01", None, 422, "must not be before from, 2024-05-02"),
        ("GET", "/quarantine?reason=foo", None, 400, "reason 'foo' is no part of one: use no readable time; "),
        ("POST", "/ingest/SPY", {"start": "2024-01-01"}, 422, "end"),
        ("POST", "/ingest/SPY", {"start": "2024-02-01", "end": "2024-01-01"}, 422, "must be later than start"),
        ("POST", "/ingest", {"symbols": [], "start": "2024-01-01", "end": "2024-02-01"}, 422, "symbols"),
        ("POST", "/ingest", {"symbols": ["a b"], "start": "2024-01-01", "end": "2024-02-01"}, 422, "not a ticker"),
        ("POST", "/ingest/SPY", {"start": "2024-01-01", "end": "2024-02-01", "provider": "oracle"}, 400, "'oracle'"),
        ("POST", "/import", {"path": "/", "timezone": "Mars/Olympus"}, 422, "Mars/Olympus"),
        ("POST", "/import", {"path": "x" * 5_000}, 400, "File name too long"),
        ("POST", "/ingest/SPY", {"start": "0001-01-01", "end": "2024-01-01"}, 422, "use the years 1900 to 2199"),
        ("GET", "/bars/ABC?end=9999-12-31T23:59:59-14:00", None, 422, "use the years 1900 to 2199"),
        ("POST", "/import", {"path": ""}, 422, "at least 1 character"),
        ("POST", "/import", {"paths": "/"}, 422, "path"),
    ],
)  # fmt: skip
def test_wrong_questions_are_told_what_is_wrong(open_house, method, path, body, status, said):
    answer = open_house().http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert set(answer.json()) == {"error", "detail", "request_id"}


def test_a_reason_that_no_row_has_is_an_empty_list(open_house):
    answer = open_house().http.get("/quarantine", params={"reason": "price is zero"})
    assert (answer.status_code, answer.json()["items"]) == (200, [])


def test_pages_show_what_there_is(house):
    page = house.http.get("/", headers=HTML)
    assert page.status_code == 200
    for text in ("ABC", "XYZ", "3,900", "10 of 10", 'action="/ingest"', 'action="/import"', "job-1", "3,901"):
        assert text in page.text
    assert ">ABC<" not in house.http.get("/", params={"search": "XYZ"}, headers=HTML).text
    symbol = house.http.get("/symbols/ABC", headers=HTML)
    assert symbol.status_code == 200
    for text in ('data-url="/symbols/ABC/chart"', 'data-chart="candles"', "2024-05", "3,900"):
        assert text in symbol.text
    assert house.http.get("/symbols/NOPE", headers=HTML).status_code == 404


def test_a_renamed_symbol_and_its_former_name_lead_to_each_other(house):
    rename = {"symbol": "XYZ", "former": "ABC", "on": "2024-05-20"}
    house.http.post("/actions/XYZ", json=[{"kind": "rename", "ex_date": rename["on"], "former": "ABC"}])
    for address in ("/symbols", "/coverage"):
        answer = house.http.get(address).json()
        known = {one["symbol"]: one for one in (answer if isinstance(answer, list) else answer["items"])}
        assert (known["XYZ"]["formerly"], known["XYZ"]["renamed_to"]) == (rename, None)
        assert (known["ABC"]["formerly"], known["ABC"]["renamed_to"]) == (None, rename)
    for path in ("/", "/symbols/XYZ"):
        assert 'formerly <a href="/symbols/ABC">ABC</a> until 2024-05-20' in house.http.get(path, headers=HTML).text
    for path in ("/", "/symbols/ABC"):
        assert 'renamed to <a href="/symbols/XYZ">XYZ</a> on 2024-05-20' in house.http.get(path, headers=HTML).text
    house.http.delete("/actions/XYZ/rename/2024-05-20")
    assert house.http.get("/symbols/XYZ").json()["formerly"] is None


def test_an_empty_house_says_what_to_do(open_house):
    page = open_house().http.get("/", headers=HTML)
    assert page.status_code == 200
    assert "No bars yet" in page.text


def test_forms_start_jobs_and_keep_what_was_typed_when_wrong(open_house, tmp_path):
    house = open_house()
    good = {"symbols": "edge, flat", "start": "2024-01-01", "end": "2024-02-01"}
    assert house.http.post("/ingest", data=good, headers=HTML).headers["location"] == "/jobs"
    one = house.http.post("/ingest", data={**good, "symbols": "edge"}, headers=HTML)
    assert (one.status_code, one.headers["location"]) == (303, "/jobs/1")  # it waits already: the same job

    for wrong, said in (
        ({**good, "end": "2023-01-01"}, "must be later than start"),
        ({**good, "symbols": "one!two"}, "is not a ticker"),
        ({**good, "start": ""}, "Field required"),
    ):
        page = house.http.post("/ingest", data=wrong, headers=HTML)
        assert page.status_code == 422
        assert said in page.text
        assert f'value="{wrong["symbols"]}"' in page.text

    (tmp_path / "ABC.csv").write_text("x\n")
    started = house.http.post("/import", data={"path": str(tmp_path), "columns": "Last = close"}, headers=HTML)
    job = house.job(int(started.headers["location"].rsplit("/", 1)[1]))
    assert (job["kind"], job["payload"]["columns"]) == ("ingestion.import", {"Last": "close"})
    for wrong, said in (
        ({"path": "/nowhere"}, "no such file"),
        ({"path": "/", "columns": "Last"}, "their name = ours"),
        ({"path": "/", "timezone": "Mars/Olympus"}, "is not known"),
        ({"path": "x" * 5_000}, "File name too long"),
        ({"path": "a\0b"}, "no such file"),
    ):
        page = house.http.post("/import", data=wrong, headers=HTML)
        assert page.status_code == 422
        assert said in page.text


def test_the_watchlists_page_is_filtered_and_paged(open_shop):
    shop = open_shop()
    names = [f"S{number:03}" for number in range(130)]
    assert shop.http.post("/watchlist", json={"symbols": names, "since": "2024-05-01"}).status_code == 202

    def shown(**params: object) -> list[str]:
        text = shop.http.get("/watchlist", params=params, headers=HTML).text
        return [name for name in names if f'aria-label="Remove {name}"' in text]

    assert (shown(), shown(page=2)) == (names[:100], names[100:])
    assert shown(search="s12") == names[120:]
    assert shown(search="none") == []
    assert len(shop.http.get("/watchlist").json()) == 130
