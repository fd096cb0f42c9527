"""Daily bars over HTTP: fetched once, stored as traded, read where no minutes are, adjusted by splits and dividends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from wire_servers import Wire, yahoo

from ingestion_service.domain.sources import RAW_SCHEMA
from shared.clock import SystemClock
from shared.contracts.datasets import TS
from shared.contracts.sessions import all_sessions
from shared.testing.markets import reverting_bars
from shared.testing.servers import serving

SPLIT, PAID = datetime(2021, 6, 21, 13, 30, tzinfo=UTC), datetime(2023, 3, 1, 14, 30, tzinfo=UTC)
FROM, TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)

SPAN = {"start": "2020-01-01", "end": "2024-01-01", "timeframe": "1d"}


def market() -> pl.DataFrame:
    """Four years of days as traded: 100 dollars and a little more each day, a quarter of it from the split on."""
    sessions = all_sessions().between(int(FROM.timestamp() * 1e6), int(TO.timestamp() * 1e6))
    price = pl.Series(100 + np.arange(len(sessions)) / 10)
    days = pl.DataFrame({"ts": pl.Series(sessions.open_us).cast(TS)})
    price = price / days.select(pl.when(pl.col("ts") < SPLIT).then(1.0).otherwise(4.0)).to_series()
    return days.with_columns(
        open=price, high=price * 1.01, low=price * 0.99, close=price * 1.005, volume=pl.lit(8_000.0)
    ).cast(dict(RAW_SCHEMA))  # pyright: ignore[reportArgumentType] - a schema is a mapping of types


DAYS = market()


@pytest.fixture
def wire():
    split, paid = (int(at.timestamp()) for at in (SPLIT, PAID))
    told = {
        "splits": {str(split): {"date": split, "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}},
        "dividends": {str(paid): {"amount": 1.0, "date": paid}},
    }
    return Wire({}, days={"OLD": DAYS}, actions={"OLD": told})


@pytest.fixture
def house(open_house, wire):
    with serving(yahoo(wire, SystemClock().now)) as http:
        yield open_house(YAHOO_BASE_URL=str(http.base_url), BARSMITH_PROVIDERS="simulated,massive,yahoo")


def read(house, symbol: str, **params: object) -> tuple[pl.DataFrame, str]:
    answer = house.http.get(f"/bars/{symbol}", params={"timeframe": "1d", "limit": 100_000, **params})
    assert answer.is_success, answer.text
    body = answer.json()
    rows = pl.DataFrame(body["bars"], infer_schema_length=None)
    return rows.with_columns(pl.col("ts").str.to_datetime(time_zone="UTC", format="%Y-%m-%dT%H:%M:%SZ")), body[
        "data_version"
    ]


def test_days_are_fetched_once_and_stored_as_traded(house, wire):
    result = house.ingest("OLD", **SPAN)
    assert (result["provider"], result["stored"], result["rejected"]) == ("yahoo", DAYS.height, {})
    assert result["providers"]["simulated"] == "knows no daily bars"
    rows, version = read(house, "OLD")
    assert_frame_equal(rows.select(DAYS.columns), DAYS, check_dtypes=False)
    assert rows["source"].unique().to_list() == ["yahoo 1d"]

    questions = len(wire.asked)
    assert house.ingest("OLD", **SPAN)["reused"]
    assert house.ingest("OLD", **SPAN | {"start": "2022-01-01", "end": "2022-02-01"})["reused"]
    assert len(wire.asked) == questions
    assert house.ingest("OLD", **SPAN, refresh=True)["new_rows"] == 0
    assert len(wire.asked) > questions
    assert read(house, "OLD")[1] == version

    # only what is missing, and believed where there is nothing before the first day
    assert house.ingest("OLD", **SPAN | {"start": "2019-01-01"})["rows"] == 0
    assert house.ingest("OLD", **SPAN | {"start": "2019-01-01"})["reused"]


def test_days_are_adjusted_and_give_way_to_minutes(house, tmp_path):
    house.ingest("OLD", **SPAN)
    version = read(house, "OLD")[1]
    house.done(
        house.http.post("/actions/OLD/fetch", json={"start": "2020-01-01", "end": "2024-01-01"}).json()["job_id"]
    )
    before = DAYS.select(pl.when(pl.col("ts") < SPLIT).then(0.25).otherwise(1.0)).to_series()
    closes, volumes = DAYS["close"] * before, DAYS["volume"] / before
    split, _ = read(house, "OLD", adjustment="split")
    np.testing.assert_allclose(split["close"], closes)
    np.testing.assert_allclose(split["volume"], volumes)
    factor = 1 - 1.0 / DAYS.filter(pl.col("ts") < PAID)["close"][-1]
    paid = np.where(DAYS["ts"] < PAID, factor, 1.0)
    np.testing.assert_allclose(read(house, "OLD", adjustment="all")[0]["close"], closes * paid)
    lod = house.http.get("/bars/OLD/lod", params={"timeframe": "1w", "from": "2020-01-06", "to": "2021-01-01"}).json()
    assert lod["open"][0] == DAYS["open"][2]
    assert (len(lod["time"]), lod["volume"][0]) == (52, 5 * 8_000)

    refused = house.http.get("/bars/OLD")
    assert refused.status_code == 404
    assert f"only {DAYS.height:,} daily bars" in refused.text
    assert "POST /ingest/OLD" in refused.text
    (known,) = house.http.get("/symbols").json()
    assert (known["symbol"], known["rows"], known["days"]) == ("OLD", 0, DAYS.height)

    # a week of minutes takes the place of its days; the day of extended hours alone does not, nor do 194 minutes
    minutes = reverting_bars("OLD", datetime(2022, 6, 6, tzinfo=UTC), datetime(2022, 6, 11, tzinfo=UTC), seed=5)
    early = minutes.head(1).with_columns(ts=pl.lit(datetime(2022, 6, 13, 12, tzinfo=UTC), TS))
    few = reverting_bars("OLD", datetime(2022, 6, 14, tzinfo=UTC), datetime(2022, 6, 15, tzinfo=UTC), seed=6)[100:294]
    pl.concat([minutes, early, few]).drop("source").write_parquet(tmp_path / "OLD.parquet")
    house.done(house.post("/import", path=str(tmp_path / "OLD.parquet"))["job_id"])
    mixed, after = read(house, "OLD")
    derived = mixed.filter(pl.col("source") == "files")
    assert derived["ts"].dt.day().to_list() == [6, 7, 8, 9, 10]
    assert (
        derived["volume"].to_list()
        == minutes.group_by_dynamic("ts", every="1d").agg(pl.col("volume").sum())["volume"].to_list()
    )
    assert (mixed.height, after != version) == (DAYS.height, True)
    assert house.http.get("/symbols/OLD").json()["rows"] == minutes.height + 1 + few.height
    # 195 of 390 are half of it
    longer = reverting_bars("OLD", datetime(2022, 6, 14, tzinfo=UTC), datetime(2022, 6, 15, tzinfo=UTC), seed=6)[99:294]
    longer.drop("source").write_parquet(tmp_path / "OLD.parquet")
    house.done(house.post("/import", path=str(tmp_path / "OLD.parquet"))["job_id"])
    again, _ = read(house, "OLD")
    assert again.filter(pl.col("source") == "files")["ts"].dt.day().to_list() == [6, 7, 8, 9, 10, 14]
    assert again.height == DAYS.height


def test_what_cannot_be_a_daily_bar_is_put_aside_and_who_has_none_is_told(house, tmp_path):
    refused = house.ended(house.post("/ingest/NOPE", start="2020-01-01", end="2024-01-01", timeframe="1d")["job_id"])
    assert refused["state"] == "FAILED"
    for word in (
        "nobody has daily bars of NOPE",
        ": knows no daily bars | yahoo: ",
        "No data found",
        "massive: passed over",
    ):
        assert word in refused["error"]
    tomorrow = (SystemClock().now() + timedelta(days=1)).date().isoformat()
    early = house.http.post("/ingest/OLD", json={"start": tomorrow, "end": "2035-01-01", "timeframe": "1d"})
    assert (early.status_code, "no trading day begins" in early.text) == (400, True)

    lines = ["date,open,high,low,close,volume", "2020-01-02,10,11,9,10,5", "2020-01-03,10,9,9,10,5"]
    lines += ["2020-01-04,10,11,9,10,5", "2020-01-06,0,11,0,10,5", "2020-01-07,1,2,1,1,1", "2020-01-07,3,4,3,3,3"]
    (tmp_path / "ABC.csv").write_text("\n".join(lines))
    told = {"path": str(tmp_path / "ABC.csv"), "columns": {"date": "ts"}, "timeframe": "1d"}
    result = house.done(house.post("/import", **told)["job_id"])
    assert (result["rows"], result["stored"], sum(result["rejected"].values())) == (6, 2, 4)
    rows, _ = read(house, "ABC")
    assert rows.select("ts", "open", "source").rows() == [
        (datetime(2020, 1, 2, 14, 30, tzinfo=UTC), 10.0, "files 1d"),
        (datetime(2020, 1, 7, 14, 30, tzinfo=UTC), 3.0, "files 1d"),
    ]
    reason = "a daily bar of a day without a session"
    aside = house.http.get("/quarantine", params={"symbol": "ABC"}).json()
    assert reason in {row["reason"] for row in aside["items"]}
    release = house.http.post("/quarantine/ABC/release", json={"why": "it is good", "reason": reason})
    assert (release.status_code, "bars of minutes are released" in release.text) == (400, True), release.text


def test_a_symbol_of_days_only_is_seen_everywhere_and_counts_no_gap(house):
    house.ingest("OLD", **SPAN)
    house.done(
        house.http.post("/actions/OLD/fetch", json={"start": "2020-01-01", "end": "2024-01-01"}).json()["job_id"]
    )
    ask = house.http.get
    bounds = {"first": "2020-01-02T14:30:00Z", "last": "2023-12-29T14:30:00Z"}
    (listed,) = ask("/symbols").json()
    told = {"symbol": "OLD", **bounds, "rows": 0, "days": DAYS.height, "timeframes": ["1d"]}
    assert listed | told == listed
    (covered,) = ask("/coverage").json()["items"]
    one = ask("/symbols/OLD").json()
    assert covered | {"stale_seconds": 0} == one | {"stale_seconds": 0}
    told = {
        "rows": 0,
        "days": DAYS.height,
        "first_day": "2020-01-02",
        "last_day": "2023-12-29",
        "sources": ["yahoo 1d"],
    }
    assert covered | told | bounds == covered
    assert not any(covered[name] for name in ("sessions", "sessions_expected", "missing_minutes", "outage_minutes"))
    assert ask("/gaps/OLD").json()["total"] == 0
    past = ask("/as-of/OLD").json()
    assert (past["rows"], past["days"], past["first"], len(past["changed"])) == (0, DAYS.height, bounds["first"], 1)

    raw, adjusted = (
        ask("/symbols/OLD/chart", params={"timeframe": "1d", "adjustment": how}).json() for how in ("raw", "split")
    )
    assert (raw["open"][0], adjusted["open"][0], sum(raw["shade"])) == (100.0, 25.0, 0)
    assert len(raw["time"]) == DAYS.height
    row = ask("/", headers={"Accept": "text/html"}).text.split('href="/symbols/OLD"', 1)[1].split("</tr>")[0]
    assert f"<td>none</td><td>{DAYS.height:,}</td>" in row
    assert "no minutes" in row
    page = ask("/symbols/OLD?adjustment=split", headers={"Accept": "text/html"}).text
    for said in (
        "chart?timeframe=1d&amp;adjustment=split",
        "Days from 2020-01-02 to 2023-12-29",
        "4 new for 1 old",
        "1 a share",
    ):
        assert said in page
    assert "Stored months" not in page


@pytest.mark.parametrize(
    ("symbol", "first", "week"), [("VIX", "1990-01-02", "1990-01-02"), ("SPX", "1927-12-30", "1928-01-02")]
)
def test_days_of_decades_are_read_from_the_first_one_on(house, tmp_path, symbol, first, week):
    dates = pl.date_range(pl.date(*map(int, first.split("-"))), pl.date(1990, 3, 1), interval="1d", eager=True)
    known = pl.Series(all_sessions().date)
    file = pl.DataFrame({"ts": dates.filter(dates.is_in(known.implode()))}).with_columns(
        pl.lit(20.0).alias(name) for name in ("open", "high", "low", "close", "volume")
    )
    (tmp_path / f"{symbol}.csv").write_text(file.write_csv())
    told = house.done(house.post("/import", path=str(tmp_path / f"{symbol}.csv"), timeframe="1d")["job_id"])
    assert (told["stored"], told["rejected"]) == (file.height, {})
    for timeframe, begins in (("1d", first), ("1w", week)):
        answer = house.http.get(f"/bars/{symbol}", params={"timeframe": timeframe, "start": first, "limit": 3})
        assert answer.is_success, answer.text
        assert answer.json()["bars"][0]["ts"].startswith(begins)
    for path in (
        f"/symbols/{symbol}",
        f"/symbols/{symbol}/chart?timeframe=1d",
        f"/quality/{symbol}",
        f"/gaps/{symbol}",
    ):
        answer = house.http.get(path, headers={"Accept": "text/html" if "symbols" in path else "application/json"})
        assert answer.is_success, (path, answer.text)


@pytest.mark.parametrize(("symbol", "suspected"), [("OLD", [3.0]), ("VIX", [])])
def test_a_step_of_days_may_be_a_split_of_a_stock_but_not_of_an_index(house, tmp_path, symbol, suspected):
    flat = DAYS.head(40).with_columns(pl.lit(90.0).alias(name) for name in ("open", "high", "low", "close"))
    lower = pl.col("open", "high", "low", "close") / 3
    (tmp_path / f"{symbol}.csv").write_text(flat.head(20).with_columns(pl.col("ts").dt.date()).write_csv())
    house.done(house.post("/import", path=str(tmp_path / f"{symbol}.csv"), timeframe="1d")["job_id"])
    assert house.http.get(f"/quality/{symbol}").json()["suspected_splits"] == []
    later = flat.tail(20).with_columns(lower).with_columns(pl.col("ts").dt.date())
    (tmp_path / f"{symbol}.csv").write_text(later.write_csv())
    house.done(house.post("/import", path=str(tmp_path / f"{symbol}.csv"), timeframe="1d")["job_id"])
    found = house.http.get(f"/quality/{symbol}").json()["suspected_splits"]
    assert [one["ratio"] for one in found] == suspected
