"""The service on a real database, lake and HTTP server: what is built, what is reused, and that any order agrees."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import features_support
import polars as pl
import pytest

import barsmith
from feature_service.app import create_app
from feature_service.domain.catalogue import CORE, FULL
from feature_service.worker import handlers
from shared.contracts.datasets import BARS_1M, FEATURES
from shared.errors import NotFound
from shared.jobs.model import JobState
from shared.testing.jobs import run_pending
from shared.testing.markets import reverting_bars
from shared.testing.servers import serving

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
HTML = {"Accept": "text/html"}


@pytest.fixture
def service(settings):
    with features_support.house(settings, {"SPY": 1}, START, END) as wired:
        yield wired


def build(service, settings, start=START, end=END, symbol="SPY"):
    return features_support.build(service, settings, symbol, "core", start, end)


def content(service, symbol="SPY"):
    stored = service.resources.lake.partitions(FEATURES, symbol=symbol)
    return {info.partition_values["month"]: info.content_hash for info in stored}


def test_a_build_over_http_is_covered_and_readable_in_every_format(service, settings, monkeypatch):
    window = {"start": START.isoformat(), "end": END.isoformat()}
    with serving(create_app(settings)) as http:
        answer = http.post("/features/build", json={"symbols": ["spy", "SPY"], "window": window})
        assert answer.status_code == 202
        [job] = answer.json()["jobs"]  # a symbol named twice is built once
        with handlers(settings) as known:
            run_pending(service.resources.queue, known)
        assert http.get(job["link"]).json()["state"] == "COMPLETED"

        [built] = http.get("/coverage", params={"feature_set": "core"}).json()["items"]
        bars = service.resources.lake.read(service.resources.lake.snapshot(BARS_1M, symbol="SPY"))
        assert (built["symbol"], built["feature_set"], built["months"]) == ("SPY", CORE.id, 3)
        assert built["rows"] == bars.height

        asked = {"start": "2024-02-01T00:00:00Z", "end": "2024-02-02T00:00:00Z", "columns": "ibs,rsi_14"}
        rows = http.get("/features/spy", params=asked).json()
        assert len(rows) == 390
        assert set(rows[0]) == {"ts", "ibs", "rsi_14"}
        table = pl.read_parquet(io.BytesIO(http.get("/features/SPY", params={**asked, "format": "parquet"}).content))
        assert table.height == 390
        assert http.get("/features/SPY", params={**asked, "format": "csv"}).text.count("\n") == 391

        arrow = http.get("/features/SPY", params={**asked, "format": "arrow"})
        assert pl.read_ipc(io.BytesIO(arrow.content)).equals(table, null_equal=True)

        monkeypatch.setenv("BARSMITH_FEATURES_URL", str(http.base_url))
        one_line = barsmith.features("spy", "2024-02-01", date(2024, 2, 2), columns=["ibs", "rsi_14"])
        assert one_line.equals(table, null_equal=True)
        with pytest.raises(NotFound, match="no features"):
            barsmith.features("NOPE")

        assert {one["name"] for one in http.get("/catalogue").json()} == set(FULL.columns)
        made = http.get(f"/sets/{CORE.id}/definitions").json()
        assert {one["name"] for one in made} == set(CORE.columns)
        assert {(one["version"], one["parameters_hash"], one["source"]) for one in made} == {
            (one.version, one.parameters_hash, one.source) for one in CORE.features
        }
        assert http.get("/sets/core-00000000/definitions").status_code == 404
        for page in ("/", "/features/SPY"):
            assert CORE.id in http.get(page, headers=HTML).text


def test_the_same_build_again_is_all_reused_and_a_new_day_rebuilds_its_month_only(service, settings):
    assert build(service, settings)["reused"] == 0
    before = content(service)
    again = build(service, settings)
    assert (again["reused"], again["built"]) == (3, [])
    assert content(service) == before

    lake = service.resources.lake
    late = reverting_bars("SPY", datetime(2024, 3, 28, tzinfo=UTC), END, seed=2)
    lake.upsert(BARS_1M, late)
    result = build(service, settings)
    assert [block["month"] for block in result["built"]] == ["2024-03"]
    assert {month: name for month, name in content(service).items() if month < "2024-03"} == {
        month: name for month, name in before.items() if month < "2024-03"
    }


def test_a_build_without_a_window_is_one_of_all_bars(service, settings):
    with serving(create_app(settings)) as http:
        jobs = [http.post("/features/build", json={"symbols": ["SPY"]}).json()["jobs"][0]["job_id"] for _ in range(2)]
        assert jobs[0] == jobs[1]  # asked twice while it waits: one job
        with handlers(settings) as known:
            [job] = run_pending(service.resources.queue, known)
    assert (job.state, job.result["months"], len(job.result["built"])) == (JobState.COMPLETED, 3, 3)


def test_the_log_counts_what_was_found_and_made_and_no_block_is_made_twice(service, settings):
    for _ in range(3):
        build(service, settings)
    with serving(create_app(settings)) as http:
        counts = http.get("/builds/counts").json()
        log = http.get("/builds", params={"symbol": "spy"}).json()["items"]
    assert (counts["builds"], counts["hits"], counts["misses"], counts["blocks_made_twice"]) == (3, 6, 3, 0)
    assert counts["hit_share"] == pytest.approx(2 / 3)
    assert [(one["months"], one["hits"], one["misses"]) for one in log] == [(3, 3, 0), (3, 3, 0), (3, 0, 3)]


def test_the_same_rows_in_other_files_are_found_again(service, settings):
    build(service, settings)
    before = content(service)
    # a bar outside regular hours changes March's file, and nothing that features see
    night = reverting_bars("SPY", datetime(2024, 3, 28, tzinfo=UTC), END, seed=1).head(1)
    service.resources.lake.upsert(BARS_1M, night.with_columns(ts=pl.col("ts") - pl.duration(hours=9)))
    second = build(service, settings)
    assert (second["reused"], second["built"]) == (3, [])
    assert [block["month"] for block in second["confirmed"]] == ["2024-03"]
    assert build(service, settings)["confirmed"] == []
    assert content(service) == before


def test_data_of_a_set_that_this_version_no_longer_makes_stay_readable(service, settings):
    lake = service.resources.lake
    old = pl.DataFrame({"feature_set": "core-0ldc0de0", "symbol": "SPY", "ts": [FEBRUARY], "gone": [1.5]})
    lake.upsert(FEATURES, old.with_columns(pl.col("ts").cast(FEATURES.schema["ts"])))
    with serving(create_app(settings)) as http:
        assert http.get("/features/SPY", params={"feature_set": "core-0ldc0de0"}).json()[0]["gone"] == 1.5


def test_a_changed_month_rebuilds_the_months_whose_warm_up_reached_into_it(service, settings):
    build(service, settings)
    service.resources.lake.upsert(BARS_1M, reverting_bars("SPY", datetime(2024, 1, 30, tzinfo=UTC), FEBRUARY, seed=3))
    result = build(service, settings)
    # 5,000 bars are some thirteen sessions: February reads January, March reads February only
    assert [block["month"] for block in result["built"]] == ["2024-01", "2024-02"]


def test_older_history_that_arrives_late_rebuilds_the_months_that_lacked_their_warm_up(service, settings):
    lake = service.resources.lake
    all_bars = reverting_bars("LATE", START, END, seed=1)
    lake.upsert(BARS_1M, all_bars.filter(pl.col("ts") >= FEBRUARY))
    first = build(service, settings, FEBRUARY, END, "LATE")
    assert [block["month"] for block in first["built"]] == ["2024-02", "2024-03"]
    lake.upsert(BARS_1M, all_bars)
    second = build(service, settings, FEBRUARY, END, "LATE")
    # March had its whole warm-up in February
    assert [block["month"] for block in second["built"]] == ["2024-02"]
    build(service, settings)
    columns = ["ts", *CORE.columns]
    february = {"start": FEBRUARY, "end": END}
    spy, late = (lake.read(lake.snapshot(FEATURES, symbol=one, **february), columns) for one in ("SPY", "LATE"))
    assert spy.equals(late, null_equal=True)


def test_months_built_one_by_one_in_any_order_equal_one_build_bit_for_bit(service, settings):
    build(service, settings)
    at_once = content(service)
    lake = service.resources.lake
    other = reverting_bars("SPY", START, END, seed=1).with_columns(symbol=pl.lit("TWIN"))
    lake.upsert(BARS_1M, other)
    for start, end in ((datetime(2024, 3, 1, tzinfo=UTC), END), (START, FEBRUARY)):
        build(service, settings, start, end, "TWIN")
    build(service, settings, symbol="TWIN")
    columns = ["ts", *CORE.columns]
    spy, twin = (lake.read(lake.snapshot(FEATURES, symbol=symbol), columns) for symbol in ("SPY", "TWIN"))
    assert spy.equals(twin, null_equal=True)
    assert list(at_once) == list(content(service, "TWIN"))


def test_filled_bars_are_never_seen(service, settings):
    build(service, settings)
    lake = service.resources.lake
    wanted = ["ts", *CORE.columns]
    before = lake.read(lake.snapshot(FEATURES, symbol="SPY"), wanted)
    extra = reverting_bars("SPY", datetime(2024, 3, 27, tzinfo=UTC), datetime(2024, 3, 28, tzinfo=UTC), seed=9)
    lake.upsert(BARS_1M, extra.with_columns(source=pl.lit("filled")))
    build(service, settings)
    after = lake.read(lake.snapshot(FEATURES, symbol="SPY"), wanted)
    cut = datetime(2024, 3, 27, tzinfo=UTC)
    assert after.filter(pl.col("ts").dt.date() == cut.date()).is_empty()
    assert after.filter(pl.col("ts") < cut).equals(before.filter(pl.col("ts") < cut), null_equal=True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/features/NOPE", None, 404, "no features"),
        ("GET", "/features/..%2Fetc", None, 404, "nothing at"),
        ("GET", "/features/SPY?columns=nope", None, 400, "no column 'nope'"),
        ("GET", "/features/SPY?feature_set=nope", None, 404, "not made by this version"),
        ("GET", "/features/SPY?start=2024-01-01T00:00:00", None, 422, "timezone"),
        ("POST", "/features/build", {"symbols": []}, 422, "symbols"),
        ("POST", "/features/build", {"symbols": ["A B"], "window": "x"}, 422, "not a ticker"),
        (
            "POST",
            "/features/build",
            {"symbols": ["SPY", "NOPE"], "window": {"start": "2024-01-01T00:00:00Z", "end": "2024-02-01T00:00:00Z"}},
            404,
            "no bars of NOPE",
        ),
    ],
)
def test_what_cannot_be_answered_is_explained_and_nothing_is_enqueued(
    service, settings, method, path, body, status, words
):
    with serving(create_app(settings)) as http:
        answer = http.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        assert words in answer.json()["detail"]
        assert service.resources.queue.jobs()[1] == 0


@pytest.mark.usefixtures("service")
def test_the_form_keeps_what_was_typed_and_names_the_field(settings):
    with serving(create_app(settings)) as http:
        form = {"symbols": "NOPE", "start": "2024-01-01", "end": "2024-02-01", "idempotency_key": "k"}
        page = http.post("/features/build", data=form, headers=HTML)
        assert page.status_code == 422
        assert 'value="NOPE"' in page.text
        assert "no bars of NOPE" in page.text
        good = http.post("/features/build", data={**form, "symbols": "SPY", "idempotency_key": "l"}, headers=HTML)
        assert good.status_code == 303
        assert good.headers["location"].startswith("/jobs/")


def test_a_set_with_rows_in_the_span_is_read_before_one_without(service, settings):
    build(service, settings, start=FEBRUARY)
    features_support.build(service, settings, "SPY", "momentum", START, END)
    with serving(create_app(settings)) as http:

        def set_of(**asked):
            answer = http.get("/features/SPY", params={"columns": "rsi_14,rsi_14", "format": "csv", **asked})
            assert answer.status_code == 200, answer.text
            assert answer.text.startswith("ts,rsi_14\n"), "a column named twice is one"
            return answer.headers["X-Feature-Set"].split("-")[0]

        assert (set_of(), set_of(start="2024-02-05")) == ("core", "core")
        assert set_of(start="2024-01-08", end="2024-01-10") == "momentum"


def test_a_month_outside_regular_hours_is_empty_and_not_found_again(service, settings):
    night = reverting_bars("SPY", datetime(2024, 3, 1, tzinfo=UTC), END, seed=1)
    shifted = night.with_columns(pl.col("ts").dt.offset_by("93d").dt.offset_by("10h")).filter(
        pl.col("ts").dt.hour() < 8
    )
    service.resources.lake.upsert(BARS_1M, shifted.filter(pl.col("ts").dt.month() == 6))
    done = build(service, settings, end=datetime(2024, 7, 1, tzinfo=UTC))
    assert (done["months"], len(done["built"]), done["reused"], done["empty"]) == (4, 3, 0, 1)
    again = build(service, settings, end=datetime(2024, 7, 1, tzinfo=UTC))
    assert (len(again["built"]), again["reused"], again["empty"]) == (0, 3, 1)
