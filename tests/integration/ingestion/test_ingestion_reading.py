"""Bars read in every way the API has, and corporate actions kept, over HTTP."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ingestion_service.domain.timeframes import Timeframe, resampled
from shared.contracts.datasets import BARS_1M
from shared.testing.markets import reverting_bars

REAL = Path(__file__).parents[4] / "shared" / "data" / "corp_actions" / "A" / "lean_factors"
JSON = {"Accept": "application/json"}
NEW = reverting_bars("META", datetime(2022, 6, 9, tzinfo=UTC), datetime(2022, 6, 25, tzinfo=UTC), seed=5)
OLD = reverting_bars("FB", datetime(2022, 5, 23, tzinfo=UTC), datetime(2022, 6, 9, tzinfo=UTC), seed=6)


@pytest.fixture
def house(open_house, tmp_path):
    """A house with two weeks of FB and, from June 9 on, of META; its worker has gone idle."""
    house = open_house()
    for bars in (OLD, NEW):
        bars.drop("source").write_parquet(tmp_path / f"{bars['symbol'][0]}.parquet")
    house.done(house.post("/import", path=str(tmp_path))["job_id"])
    return house


def get(house, symbol: str, **params: object) -> pl.DataFrame:
    answer = house.http.get(f"/bars/{symbol}", params={"format": "arrow", "limit": 100_000, **params})
    assert answer.is_success, answer.text
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert answer.headers["content-disposition"].endswith('.arrows"')
    assert "content-encoding" not in answer.headers  # packing it took longer than making it
    return pl.read_ipc_stream(io.BytesIO(answer.content))


def add(house, symbol: str, *actions: dict) -> list[dict]:
    answer = house.http.post(f"/actions/{symbol}", json=list(actions))
    assert answer.is_success, answer.text
    return answer.json()


def test_longer_bars_are_those_of_the_whole_whatever_the_span(house):
    stored = get(house, "META")
    assert stored.schema == BARS_1M.schema
    for timeframe in Timeframe:
        assert_frame_equal(get(house, "META", timeframe=timeframe.value), resampled(stored, "META", timeframe))
    span = {"start": "2022-06-13T16:00:00Z", "end": "2022-06-15T16:00:00Z"}
    begin, end = datetime(2022, 6, 13, 16, tzinfo=UTC), datetime(2022, 6, 15, 16, tzinfo=UTC)
    for timeframe in Timeframe:
        whole = resampled(stored, "META", timeframe).filter(pl.col("ts").is_between(begin, end, closed="left"))
        assert_frame_equal(get(house, "META", timeframe=timeframe.value, **span), whole)
    body = house.http.get("/bars/META", params={"timeframe": "1d", "limit": 3}).json()
    assert (body["count"], body["truncated"], body["bars"][0]["ts"]) == (3, True, "2022-06-09T13:30:00Z")


def test_a_split_told_later_rewrites_nothing(house):
    raw = house.http.get("/bars/META").json()
    add(house, "META", {"kind": "split", "ex_date": "2022-06-15", "value": 4})
    assert house.http.get("/bars/META").json() == raw
    adjusted, plain = get(house, "META", adjustment="split"), get(house, "META")
    before = plain["ts"] < datetime(2022, 6, 15, tzinfo=UTC)
    np.testing.assert_allclose(adjusted["close"] / plain["close"], np.where(before, 0.25, 1.0))
    np.testing.assert_allclose(adjusted["volume"] / plain["volume"], np.where(before, 4.0, 1.0))
    lod = house.http.get("/bars/META/lod", params={"adjustment": "split"}).json()
    assert lod["close"][0] == pytest.approx(raw["bars"][0]["close"] / 4, rel=0.01)
    version = {
        how: house.http.get("/bars/META", params={"adjustment": how, "limit": 1}).json()["data_version"]
        for how in ("raw", "split", "all")
    }
    assert len(set(version.values())) == 3
    assert version["raw"] == raw["data_version"]
    assert house.http.delete("/actions/META/split/2022-06-15").status_code == 204
    assert_frame_equal(get(house, "META", adjustment="split"), plain)


def test_a_dividend_follows_from_the_close_before_it(house):
    add(house, "META", {"kind": "dividend", "ex_date": "2022-06-15", "value": 2})
    plain = get(house, "META")
    close = plain.filter(pl.col("ts") < datetime(2022, 6, 15, tzinfo=UTC))["close"][-1]
    found = get(house, "META", adjustment="all", end="2022-06-15")
    np.testing.assert_allclose(found["close"] / plain["close"][: found.height], 1 - 2 / close)
    assert_frame_equal(get(house, "META", adjustment="split"), plain)


def test_a_renamed_symbol_has_one_history(house):
    assert get(house, "META").height == NEW.height
    add(house, "META", {"kind": "rename", "ex_date": "2022-06-09", "former": "fb"})
    add(house, "FB", {"kind": "split", "ex_date": "2022-06-01", "value": 2})
    joined = get(house, "META")
    assert joined["close"].to_list() == [*OLD["close"], *NEW["close"]]
    assert set(joined["symbol"]) == {"META"}
    assert get(house, "FB").height == OLD.height
    adjusted = get(house, "META", adjustment="split")
    before = joined["ts"] < datetime(2022, 6, 1, tzinfo=UTC)
    np.testing.assert_allclose(adjusted["close"] / joined["close"], np.where(before, 0.5, 1.0))
    week = get(house, "META", timeframe="1w")
    assert [f"{ts:%m-%d}" for ts in week["ts"]] == ["05-23", "05-31", "06-06", "06-13", "06-21"]
    assert get(house, "META", start="2022-06-08", end="2022-06-10").height == 780


def test_a_symbol_that_got_its_old_name_back_has_one_history(house, tmp_path):
    there = reverting_bars("META", datetime(2022, 6, 27, tzinfo=UTC), datetime(2022, 6, 29, tzinfo=UTC), seed=7)
    back = reverting_bars("FB", datetime(2022, 6, 29, tzinfo=UTC), datetime(2022, 7, 1, tzinfo=UTC), seed=8)
    for bars in (there, back):
        bars.drop("source").write_parquet(tmp_path / f"{bars['symbol'][0]}.parquet")
    house.done(house.post("/import", path=str(tmp_path))["job_id"])
    add(house, "META", {"kind": "rename", "ex_date": "2022-06-09", "former": "FB"})
    add(house, "FB", {"kind": "rename", "ex_date": "2022-06-29", "former": "META"})
    joined = get(house, "FB")
    assert joined["close"].to_list() == [*OLD["close"], *NEW["close"], *there["close"], *back["close"]]
    assert get(house, "META")["close"].to_list() == [*OLD["close"], *NEW["close"], *there["close"]]


def test_any_past_state_can_be_read(house, tmp_path):
    first = house.http.get("/as-of/META").json()
    assert (first["rows"], len(first["changed"])) == (NEW.height, 1)
    NEW.head(5).with_columns(pl.col("close", "high") + 1).drop("source").write_parquet(tmp_path / "META.parquet")
    house.done(house.post("/import", path=str(tmp_path / "META.parquet"))["job_id"])
    now = house.http.get("/as-of/META").json()
    assert len(now["changed"]) == 2
    assert now["data_version"] != first["data_version"]
    then = house.http.get("/as-of/META", params={"at": now["changed"][1]}).json()
    assert then["data_version"] == first["data_version"]
    assert get(house, "META", as_of=now["changed"][1])["close"].to_list() == NEW["close"].to_list()
    assert get(house, "META")["close"][0] == NEW["close"][0] + 1
    assert get(house, "META", as_of="2020-01-01").is_empty()


def test_a_dividend_above_the_price_is_refused_and_one_that_came_before_the_bars_is_told(house, tmp_path):
    close = get(house, "META").filter(pl.col("ts") < datetime(2022, 6, 14, tzinfo=UTC))["close"][-1]
    dividend = {"kind": "dividend", "ex_date": "2022-06-14", "value": close}
    answer = house.http.post("/actions/META", json=[dividend])
    assert answer.status_code == 400
    assert f"is not below the close before it, {close:g}" in answer.json()["detail"]
    # of a split on the same day the cash is for a new share: four make an old one
    with_split = [{"kind": "split", "ex_date": "2022-06-14", "value": 4}, {**dividend, "value": close / 3}]
    answer = house.http.post("/actions/META", json=with_split)
    assert (answer.status_code, "for one before the split of that day" in answer.json()["detail"]) == (400, True)
    assert house.http.get("/actions/META").json() == []
    reverse = [{"kind": "split", "ex_date": "2022-06-14", "value": 0.1}, {**dividend, "value": close * 2}]
    assert len(add(house, "META", *reverse)) == 2
    assert get(house, "META", adjustment="all")["close"][0] == pytest.approx(NEW["close"][0] * 10 * 0.8)
    for kind in ("split", "dividend"):
        house.http.delete(f"/actions/META/{kind}/2022-06-14").raise_for_status()
    assert house.http.post("/actions/META", json=[{**dividend, "factor": 0.01}]).is_success
    assert house.http.get("/quality/META").json()["impossible_dividends"] == []
    add(house, "ABC", dividend)  # nothing is known of its price
    NEW.drop("symbol", "source").write_parquet(tmp_path / "ABC.parquet")
    house.done(house.post("/import", path=str(tmp_path / "ABC.parquet"))["job_id"])
    (told,) = house.http.get("/quality/ABC").json()["impossible_dividends"]
    assert told == {"ex_date": "2022-06-14", "cash": close, "close_before": close, "source": "user"}
    assert_frame_equal(get(house, "ABC", adjustment="all"), get(house, "ABC"))


@pytest.mark.skipif(not REAL.is_dir(), reason="the factor files at ../shared/data are not here")
def test_factor_files_become_actions(open_house, tmp_path):
    house = open_house()
    answer = house.http.post("/actions/import", json={"path": str(REAL)})
    assert answer.json() == {"AAPL": 39, "IBM": 94, "QQQ": 67, "SPY": 94, "VXX": 5}
    splits = [one for one in house.http.get("/actions/AAPL").json() if one["kind"] == "split"]
    assert [(one["ex_date"], one["value"]) for one in splits][2:] == [("2014-06-09", 7.0), ("2020-08-31", 4.0)]
    lean = tmp_path / "aapl.csv"  # as LEAN writes them: no header
    lean.write_text("20140606,0.86,0.25,645.57\n20200828,0.86,0.25,499.23\n20501231,0.86,1,0\n")
    assert house.http.post("/actions/import", json={"path": str(lean)}).json() == {"AAPL": 1}
    assert len(house.http.get("/actions/AAPL").json()) == 39  # it was known
    (tmp_path / "BAD.csv").write_text("when,what\n1,2\n")
    refused = house.http.post("/actions/import", json={"path": str(tmp_path)})
    assert refused.status_code == 400
    assert "BAD.csv: is no factor file" in refused.json()["detail"]
    assert house.http.get("/actions/SPY").json()[-1]["ex_date"] == date(2021, 3, 19).isoformat()
