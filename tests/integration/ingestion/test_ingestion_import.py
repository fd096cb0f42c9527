"""Importing files: the real sets row for row, and every kind of file that cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shared.testing.markets import reverting_bars

REAL = Path(__file__).parents[4] / "shared" / "data" / "bars_1m" / "A"
needs_real_bars = pytest.mark.skipif(not REAL.is_dir(), reason="the real bars at ../shared/data are not here")

HEADER = "ts,open,high,low,close,volume\n"
GOOD = "2024-05-01T13:30:00Z,10,11,9,10.5,100\n2024-05-01T13:31:00Z,10.5,12,10,11,200\n"


def stored(house, symbol: str) -> pl.DataFrame:
    answer = house.http.get(f"/bars/{symbol}", params={"format": "parquet", "limit": 5_000_000})
    assert answer.is_success, answer.text
    return pl.read_parquet(answer.content)


def imported(house, path: Path, **more: object) -> dict:
    return house.done(house.post("/import", path=str(path), **more)["job_id"])


def refused(house, path: Path, **more: object) -> str:
    """Return why the import failed, having seen that it was not tried twice and stored nothing."""
    job = house.ended(house.post("/import", path=str(path), **more)["job_id"])
    assert (job["state"], job["attempt"]) == ("FAILED", 1)
    assert house.http.get("/symbols").json() == []
    return job["error"]


@needs_real_bars
@pytest.mark.parametrize("name", ["us2019feb", "lean", "crypto_coinbase", "sparse2y"])
def test_a_real_set_comes_out_as_it_went_in(open_house, name):
    house = open_house()
    result = imported(house, REAL / name)
    files = sorted((REAL / name).glob("*.parquet"))
    assert (len(result["files"]), result["rejected"]) == (len(files), {})
    for file in files:
        truth = pl.read_parquet(file).with_columns(pl.col("volume").cast(pl.Float64))
        assert_frame_equal(stored(house, file.stem).drop("source"), truth, check_row_order=False)


@needs_real_bars
def test_a_year_of_spy_has_the_sessions_its_readme_states(open_house):
    house = open_house()
    assert imported(house, REAL / "us2024" / "SPY.parquet")["new_rows"] == 99_264
    again = imported(house, REAL / "us2024" / "SPY.parquet")
    assert (again["stored"], again["new_rows"]) == (99_264, 0)
    (spy,) = house.http.get("/coverage").json()["items"]
    assert (spy["sessions"], spy["sessions_expected"], spy["missing_minutes"]) == (256, 256, 36)
    assert spy["sources"] == ["files"]
    # the last day ends at 15:23 in New York
    (gap,) = house.http.get("/gaps/SPY").json()["items"]
    assert (gap["start"], gap["end"], gap["why"]) == ("2025-04-02T19:24:00Z", "2025-04-02T20:00:00Z", "outage")


@needs_real_bars
def test_the_missing_minutes_of_vix_are_seen(open_house):
    house = open_house()
    imported(house, REAL / "us2019feb", glob="VIX.parquet")
    (vix,) = house.http.get("/coverage").json()["items"]
    assert (vix["sessions"], vix["missing_minutes"]) == (5, 27)
    assert stored(house, "VIX")["volume"].null_count() == vix["rows"]


def test_columns_are_mapped_times_are_moved_and_the_symbol_is_given(open_house, tmp_path):
    file = tmp_path / "my prices.csv"
    file.write_text("When,O,Hi,Lo,Last,Note\n2024-05-01 09:31,10.5,12,10,11,b\n2024-05-01 09:30,10,11,9,10.5,a\n")
    house = open_house()
    said = {"columns": {"When": "ts", "Hi": "high", "Lo": "low", "Last": "close"}, "symbol": "ibm"}
    assert imported(house, file, **said | {"symbol": "else"})["off_hours"] == 2  # in UTC, where nobody trades then
    assert imported(house, file, **said, timezone="America/New_York")["off_hours"] == 0
    bars = stored(house, "IBM")
    begin = datetime(2024, 5, 1, 13, 30, tzinfo=UTC)
    assert bars["ts"].to_list() == [begin, begin + timedelta(minutes=1)]  # sorted, though the file is not
    assert bars.select("open", "high", "low", "close", "volume").row(0) == (10.0, 11.0, 9.0, 10.5, None)


def test_bad_rows_are_counted_shown_and_not_stored(open_house, tmp_path):
    rows = (
        "2024-05-01T13:32:00Z,NaN,11,9,10,1\n"  # row 3
        "2024-05-01T13:33:00Z,-10,11,9,10,1\n"
        "2024-05-01T13:34:00Z,10,8,9,10,1\n"
        "2024-05-01T13:35:30Z,10,11,9,10,1\n"
        "yesterday,10,11,9,10,1\n"
        "2024-05-01T13:36:00Z,abc,11,9,10,1\n"
        "2024-05-01T13:37:00Z,10,11,9,10,-5\n"
        "2024-05-01T13:30:00Z,10,11,9,10.75,300\n"  # the first minute again
    )
    (tmp_path / "ABC.csv").write_text(HEADER + GOOD + rows)
    house = open_house()
    result = imported(house, tmp_path / "ABC.csv")
    assert (result["rows"], result["stored"]) == (10, 2)
    assert sum(result["rejected"].values()) == 8
    assert result["rejected"] == {
        "same minute again later (the last one is stored)": 1,
        "a price is missing or not a finite number": 2,
        "a price is zero or negative": 1,
        "open or close outside low..high": 1,
        "not on a full minute": 1,
        "no readable time": 1,
        "volume is negative or infinite": 1,
    }
    assert stored(house, "ABC")["close"].to_list() == [10.75, 11.0]
    assert {"row": "3", "open": "NaN"}.items() <= next(e for e in result["examples"] if "finite" in e["reason"]).items()


def test_a_minute_whose_only_row_was_refused_is_a_gap(open_house, tmp_path):
    house, at = open_house(), datetime(2024, 5, 1, 13, 30, tzinfo=UTC)
    rows = [f"{at + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ},10,11,9,10.5,{minute}" for minute in range(390)]
    rows[20] = rows[20].replace(",11,", ",8,")
    del rows[40]
    (tmp_path / "ABC.csv").write_text(HEADER + "\n".join(rows))
    imported(house, tmp_path / "ABC.csv")
    report = house.http.get("/quality/ABC").json()
    assert (report["coverage"]["refused_minutes"], report["coverage"]["no_trade_minutes"]) == (1, 1)
    assert report["completeness"] == pytest.approx(388 / 389)
    [gap] = house.http.get("/gaps/ABC", params={"why": "refused"}).json()["items"]
    assert (gap["start"], gap["minutes"]) == ("2024-05-01T13:50:00Z", 1)


def minutes(*missing: int) -> pl.DataFrame:
    bars = reverting_bars("ABC", datetime(2024, 11, 25, tzinfo=UTC), datetime(2024, 11, 27, tzinfo=UTC), seed=4)
    return bars.drop("symbol", "source").filter(~pl.int_range(pl.len()).is_in(missing))


@pytest.mark.parametrize("later", [[], [200], [0, 200]], ids=["at once", "one bar again", "two bars first"])
def test_holes_of_a_session_are_outages_whatever_else_is_imported_of_it(open_house, tmp_path, later):
    house = open_house()
    holes = [*range(50, 110), *range(220, 280), *range(300, 315)]

    def bring(bars: pl.DataFrame) -> None:
        bars.write_parquet(tmp_path / "ABC.parquet")
        imported(house, tmp_path / "ABC.parquet")

    if len(later) == 2:
        bring(minutes()[later])
    bring(minutes(*holes))
    if len(later) == 1:
        bring(minutes()[later])
    covered = house.http.get("/coverage").json()["items"][0]
    assert (covered["outage_minutes"], covered["no_trade_minutes"]) == (135, 0)
    bring(minutes()[holes[:60]])
    covered = house.http.get("/coverage").json()["items"][0]
    assert (covered["outage_minutes"], covered["no_trade_minutes"]) == (75, 0)


def test_stored_bars_that_new_ones_show_to_be_spikes_are_told(open_house, tmp_path):
    house, bars = open_house(), minutes()
    last = pl.when(pl.int_range(pl.len()) == 99).then(1.3).otherwise(1.0)
    bars[:100].with_columns(pl.col("open", "high", "low", "close") * last).write_parquet(tmp_path / "ABC.parquet")
    assert imported(house, tmp_path / "ABC.parquet")["withdrawn"] == 0
    bars[100:].write_parquet(tmp_path / "ABC.parquet")
    result = imported(house, tmp_path / "ABC.parquet")
    assert (result["stored"], result["rejected"], result["withdrawn"]) == (bars.height - 100, {}, 1)
    assert house.http.get("/quarantine").json()["total"] == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the file is empty"),
        (HEADER, "has a header and no rows"),
        ("ts,open,high,low,volume\n2024-05-01T13:30:00Z,1,2,1,5\n", "no column for close; it has: ts, open, high, low"),
        (
            HEADER + "2024-05-01T13:30:00Z,NaN,11,9,10,1\n",
            "all 1 rows of BAD are bad: 1 x a price is missing or not a finite number. Look at its first rows",
        ),
        (HEADER + "2024-05-01T13:30:00Z,-1,11,-9,10,1\n", "a price is zero or negative"),
        (HEADER + "1714570200,10,11,9,10,1,7,8\n", "cannot be read as .csv"),
        (
            HEADER + "".join(f"2024-0{month}-13T05:00:00Z,10,11,9,10,1\n" for month in range(1, 7)),
            "the 6 rows of BAD are a day apart at one time of day: daily bars are imported with timeframe 1d",
        ),
        (
            HEADER + GOOD + "2024-05-01T13:32:00Z,11,12,10,11.",
            "its last row has 5 of 6 cells: it was not written to its end",
        ),
        ("ts,open,high,low,close,volume,close\n2024-05-01T13:30:00Z,10,11,9,10,1,7\n", "has two columns named 'close'"),
        ("symbol," + HEADER + "not a ticker,2024-05-01T13:30:00Z,1,2,1,2,5\n", "is not a ticker"),
    ],
)
def test_a_file_that_cannot_be_used_fails_by_name_and_stores_nothing(open_house, tmp_path, content, why):
    (tmp_path / "BAD.csv").write_text(content)
    error = refused(open_house(), tmp_path / "BAD.csv")
    assert "BAD.csv" in error
    assert why in error


def test_one_bad_file_of_a_folder_stops_the_import_before_anything_is_stored(open_house, tmp_path):
    (tmp_path / "AAA.csv").write_text(HEADER + GOOD)
    (tmp_path / "ZZZ.parquet").write_bytes(b"PAR1 this is not Parquet")
    error = refused(open_house(), tmp_path, glob="*.*")
    assert "ZZZ.parquet: cannot be read as .parquet" in error


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"path": "/nowhere/at/all"}, "no such file or folder"),
        ({"path": "/dev/null"}, "neither a file nor a folder"),
        ({"path": "{tmp}"}, "no file matches"),
        ({"path": "{tmp}"}, r"use a glob, e.g. **/*.parquet"),
        ({"path": "{tmp}", "glob": "../*"}, "leaves the folder"),
        ({"path": "{tmp}", "glob": "**a"}, "cannot be used"),
        ({"path": "{tmp}/notes.txt"}, "bars are imported from .csv"),
    ],
)
def test_a_path_with_nothing_to_read_is_refused_at_the_door(open_house, tmp_path, body, why):
    (tmp_path / "notes.txt").write_text("hello")
    house = open_house()
    body = {name: value.replace("{tmp}", str(tmp_path)) for name, value in body.items()}
    answer = house.http.post("/import", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_input")
    assert why in answer.json()["detail"]
    assert house.http.get("/jobs", headers={"Accept": "application/json"}).json()["total"] == 0


def test_a_file_that_is_no_text_is_refused_and_counted_in_words(open_house, tmp_path):
    house = open_house()
    (tmp_path / "bin.csv").write_bytes(b"\xff\xfe\x00garbage\n\x00\x01\x02")
    why = refused(house, tmp_path / "bin.csv", symbol="X")
    assert "bin.csv" in why
    assert "DataError" not in why
    [trouble] = house.http.get("/monitoring").json()["errors"]
    assert "bin.csv" in trouble["example"]
