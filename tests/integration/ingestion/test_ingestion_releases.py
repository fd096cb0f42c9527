"""Refused rows that somebody knows to be good."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ingestion_service.domain.spans import Settled
from ingestion_service.domain.validation import screen
from ingestion_service.store.bars import BarStore
from ingestion_service.store.releases import ReleaseStore
from ingestion_service.use_cases.releasing import Chosen, Releasing
from shared.clock import SystemClock
from shared.storage.migrate import migrate
from shared.testing.markets import reverting_bars

PRICES = ("open", "high", "low", "close")
#: rows of the file: two that were real though they look like spikes, one that never was a bar
SPIKES, BROKEN = (100, 500), 200


def week() -> pl.DataFrame:
    bars = reverting_bars("SPY", datetime(2024, 11, 25, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC), seed=4)
    return bars.drop("symbol", "source")


def spiked(bars: pl.DataFrame, *rows: int, by: float = 1.2) -> pl.DataFrame:
    bad = pl.int_range(pl.len()).is_in(rows)
    return bars.with_columns(pl.when(bad).then(pl.col(n) * by).otherwise(pl.col(n)).alias(n) for n in PRICES)


def stored(house) -> pl.DataFrame:
    answer = house.http.get("/bars/SPY", params={"format": "arrow", "limit": 5_000_000})
    return pl.read_ipc_stream(io.BytesIO(answer.content))


def imported(house, rows: pl.DataFrame, path: Path) -> dict:
    rows.write_parquet(path / "SPY.parquet")
    return house.done(house.post("/import", path=str(path / "SPY.parquet"))["job_id"])


def release(house, status: int = 200, **body: object) -> dict:
    answer = house.http.post("/quarantine/SPY/release", json={"why": "seen on the tape", **body})
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(house) -> list[dict]:
    return house.http.get("/quarantine", params={"symbol": "SPY"}).json()["items"]


def test_released_rows_are_bars_and_are_not_suspected_again(open_house, tmp_path):
    truth = spiked(week(), *SPIKES)
    broken = truth.with_columns(low=pl.when(pl.int_range(pl.len()) == BROKEN).then(-1.0).otherwise("low"))
    house = open_house()
    assert sum(imported(house, broken, tmp_path)["rejected"].values()) == 3
    before = house.http.get("/bars/SPY").json()["data_version"]
    rows = {row["ts"]: row for row in refused(house)}
    assert [row["releasable"] for row in rows.values()].count(False) == 1

    detail = release(house, 400, start="2024-11-25", end="2024-12-01")["detail"]  # all or nothing
    assert "1 of 3 chosen rows of SPY cannot be bars" in detail
    assert "low -1.0" in detail
    assert "a price is zero or negative" in detail
    assert "no refused row has id nonsense" in release(house, 404, ids=["nonsense"])["detail"]
    assert stored(house).height == truth.height - 3

    done = release(house, reason="spike", by="ann")
    assert done == {"symbol": "SPY", "released": 2, "already": 0, "displaced": 0}
    assert release(house, reason="spike") == {**done, "released": 0, "already": 2}
    now = stored(house)
    assert (
        now.filter(pl.col("ts").is_in(truth["ts"].gather(list(SPIKES)).implode()))
        .drop("symbol", "source")
        .equals(truth[list(SPIKES)].cast({"volume": pl.Float64}))
    )
    assert set(now["source"]) == {"files"}
    assert house.http.get("/bars/SPY").json()["data_version"] != before
    assert [row["reason"] for row in refused(house)] == ["a price is zero or negative"]
    assert house.http.get("/coverage").json()["items"][0]["quarantined"] == 1
    (one, other) = house.http.get("/quarantine/SPY/release").json()
    assert (one["released_by"], one["why"], one["reason"][:5]) == ("ann", "seen on the tape", "spike")
    assert other["close"] == truth["close"][SPIKES[1]]

    again = imported(house, broken, tmp_path)  # the same rows are not judged again
    assert (again["rejected"], again["new_rows"]) == ({"a price is zero or negative": 1}, 0)
    imported(house, truth[101:140], tmp_path)  # nor are they when their neighbours come again
    assert stored(house).equals(now)
    other_price = spiked(week()[SPIKES[0] : SPIKES[0] + 1], 0, by=1.3)
    assert sum(imported(house, pl.concat([week()[101:140], other_price]), tmp_path)["rejected"].values()) == 1
    imported(house, week()[SPIKES[0] : SPIKES[0] + 1], tmp_path)  # corrected after all
    assert stored(house).filter(pl.col("ts") == truth["ts"][SPIKES[0]])["close"].item() == week()["close"][SPIKES[0]]


def test_bars_of_a_weekend_are_kept_out_until_somebody_says_that_they_are_real(open_house, tmp_path):
    saturday = week().filter(pl.col("ts").dt.day() == 25).with_columns(pl.col("ts") + pl.duration(days=5))
    house = open_house()
    result = imported(house, pl.concat([week(), saturday]), tmp_path)
    assert result["rejected"] == {"out of session: the exchange is closed that day": saturday.height}
    assert stored(house).height == week().height
    assert {row["releasable"] for row in refused(house)} == {True}
    done = release(house, start="2024-11-30", end="2024-12-01", why="the disaster recovery test was live")
    assert done["released"] == saturday.height
    assert stored(house).height == week().height + saturday.height
    assert house.http.get("/coverage").json()["items"][0]["off_hours"] == saturday.height
    assert imported(house, pl.concat([week(), saturday]), tmp_path)["rejected"] == {}


def test_a_released_row_takes_the_place_of_another_only_when_told(open_house, tmp_path):
    bars = week()
    first, later = bars[50:51], bars[50:51].with_columns(pl.col("volume") + 1)
    twice = pl.concat([bars[:50], first, later, bars[51:]])
    house = open_house()
    assert sum(imported(house, twice, tmp_path)["rejected"].values()) == 1
    minute = f"{bars['ts'][50]:%Y-%m-%dT%H:%M:%SZ}"
    detail = release(house, 409, minutes=[minute])["detail"]
    assert "have another bar by now" in detail
    assert "replace=true" in detail
    assert release(house, minutes=[minute], replace=True)["displaced"] == 1
    assert stored(house)["volume"][50] == first["volume"].item()
    assert [row["reason"] for row in refused(house)] == ["another row of its minute was released"]
    assert imported(house, twice, tmp_path)["rejected"] == {"another row of its minute was released": 1}
    assert stored(house)["volume"][50] == first["volume"].item()
    # and back, by the form on the page
    form, page = {"id": refused(house)[0]["id"], "why": "I was wrong", "replace": "true"}, {"Accept": "text/html"}
    assert 'name="why"' in house.http.get("/quality", headers=page).text
    without_why = house.http.post("/quarantine/SPY/release", data={"id": form["id"]}, headers=page)
    assert (without_why.status_code, "why: Field required" in without_why.text) == (400, True)
    address, shown = "/quarantine/SPY/release", {"symbol": "SPY", "reason": "another row", "page": 1}
    answer = house.http.post(address, params=shown, data=form, headers=page)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/quality?symbol=SPY&reason=another+row&page=1#refused-rows",
    )
    assert house.http.post(address, data=form, headers=page).headers["location"] == "/quality#refused-rows"
    assert "I was wrong" in house.http.get("/quality?symbol=SPY", headers=page).text
    assert stored(house)["volume"][50] == later["volume"].item()
    assert [row["volume"] for row in refused(house)] == [first["volume"].item()]


def test_all_rows_that_the_pages_filter_leaves_are_released_and_no_others(open_house, tmp_path):
    truth = spiked(week(), *SPIKES)
    broken = truth.with_columns(low=pl.when(pl.int_range(pl.len()) == BROKEN).then(-1.0).otherwise("low"))
    house, page = open_house(), {"Accept": "text/html"}
    imported(house, broken, tmp_path)
    assert "Release 2 rows of SPY<" in house.http.get("/quality?symbol=SPY", headers=page).text
    assert "2 of these 3 rows can be bars" in house.http.get("/quality?symbol=SPY", headers=page).text
    assert "Release 2 rows of SPY: spike" in house.http.get("/quality?symbol=SPY&reason=spike", headers=page).text
    assert "filter by their symbol" in house.http.get("/quality?reason=spike", headers=page).text
    assert "There is no page 99" in house.http.get("/quality?page=99", headers=page).text
    shown = {"symbol": "SPY", "reason": "spike", "page": 1}
    form = {"rows": "3", "reason": "spike", "why": "seen on the tape"}
    changed = house.http.post("/quality/SPY/release", params=shown, data=form, headers=page)
    assert (changed.status_code, "can be released by now, not 3" in changed.text) == (409, True)
    none = house.http.post("/quality/SPY/release", params=shown, data={**form, "rows": 0, "reason": "no"}, headers=page)
    assert (none.status_code, len(refused(house))) == (409, 3)
    done = house.http.post("/quality/SPY/release", params=shown, data={**form, "rows": "2"}, headers=page)
    assert (done.status_code, done.headers["location"]) == (303, "/quality?symbol=SPY&reason=spike#released")
    assert [row["releasable"] for row in refused(house)] == [False]
    assert stored(house).height == week().height - 1


def test_a_release_that_dies_before_it_is_noted_changes_nothing(database, lake, monkeypatch):
    migrate(database, "ingestion", "ingestion_service")
    clock = SystemClock()
    store = BarStore(database, lake, clock)
    store.save(
        screen(spiked(week(), *SPIKES), "SPY", "files"), "SPY", "files", Settled([]), clock.now(), lambda _: None
    )
    before = store.snapshot("SPY", None, None)
    releasing = Releasing(store, clock)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ReleaseStore, "record", die)
        with pytest.raises(KeyboardInterrupt):
            releasing.release("SPY", Chosen(reason="spike"), by="user", why="real")
    assert store.snapshot("SPY", None, None).version == before.version
    assert (store.quarantine.counts(), releasing.all("SPY")) == ({"SPY": 2}, [])
    assert releasing.release("SPY", Chosen(reason="spike"), by="user", why="real").released == 2
    assert store.snapshot("SPY", None, None).rows == before.rows + 2
    assert store.quarantine.counts() == {"SPY": 0}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"why": "x"}, "say which rows"),
        ({"reason": "spike"}, "why"),
        ({"reason": "spike", "why": "x", "replce": True}, "replce"),
        ({"start": "2024-11-26", "end": "2024-11-25", "why": "x"}, "must be later than start"),
    ],
)
def test_a_release_that_does_not_say_what_and_why_is_refused(open_house, body, said):
    answer = open_house().http.post("/quarantine/SPY/release", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
