"""Context, leak checks, alignment and episodes on a real database, lake and HTTP server."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_support import END, START, build, house, rows

from feature_service.app import create_app
from feature_service.domain.bars import bars_of
from feature_service.domain.catalogue import feature_set
from feature_service.schemas.asking import MOST_VALUES
from feature_service.wiring import assemble
from shared.contracts.datasets import BARS_1M, FEATURES
from shared.testing.markets import reverting_bars
from shared.testing.servers import serving

FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
SEEDS = {"SPY": 1, "OTHER": 2, "QMKT": 3, "VOLX": 4}


@pytest.fixture
def service(settings):
    with house(settings, SEEDS) as wired:
        yield wired


def test_a_block_hangs_on_exactly_the_context_it_read(service, settings):
    lake = service.resources.lake
    first = build(service, settings, "SPY")
    names = {block["month"]: block["fingerprint"] for block in first["built"]}
    assert build(service, settings, "SPY")["reused"] == 2
    revised = reverting_bars("VOLX", datetime(2024, 2, 20, tzinfo=UTC), datetime(2024, 2, 21, tzinfo=UTC), seed=9)
    before = rows(service, "SPY")
    lake.upsert(BARS_1M, revised)
    again = build(service, settings, "SPY")
    assert [block["month"] for block in again["built"]] == ["2024-02"]
    assert again["built"][0]["fingerprint"] != names["2024-02"]
    day = pl.col("ts") < datetime(2024, 2, 20, tzinfo=UTC)
    after = rows(service, "SPY")
    assert after.filter(day).equals(before.filter(day), null_equal=True)
    assert not after.equals(before, null_equal=True)
    # a symbol that plays no role changes nothing
    lake.upsert(BARS_1M, reverting_bars("OTHER", START, FEBRUARY, seed=10))
    assert build(service, settings, "SPY")["reused"] == 2


def test_who_plays_a_role_is_a_setting_and_part_of_the_name(service, settings):
    first = build(service, settings, "SPY")
    other = settings.model_copy(update={"context_market": ("OTHER",)})
    with assemble(other) as wired:
        second = build(wired, other, "SPY")
        assert {block["fingerprint"] for block in first["built"]}.isdisjoint(
            block["fingerprint"] for block in second["built"]
        )
        assert build(wired, other, "SPY")["reused"] == 2


def test_a_better_proxy_that_begins_later_does_not_change_what_was_known_before(service, settings):
    """VIXY comes before VOLX in the list, but in February it had not traded in the week before."""
    build(service, settings, "SPY")
    before = rows(service, "SPY")
    late = reverting_bars("VIXY", datetime(2024, 2, 12, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC), seed=12)
    service.resources.lake.upsert(BARS_1M, late)
    for symbol in ("SPY", "VOLX", "QMKT"):
        march = reverting_bars(symbol, END, datetime(2024, 4, 1, tzinfo=UTC), seed=20 + SEEDS[symbol])
        service.resources.lake.upsert(BARS_1M, march)
    build(service, settings, "SPY", end=datetime(2024, 4, 1, tzinfo=UTC))
    after = rows(service, "SPY")
    assert after.filter(pl.col("ts") < END).equals(before, null_equal=True)
    bars = late.filter(pl.col("ts") >= END)["close"].to_numpy()
    march = after.filter(pl.col("ts") >= END)["vix_log_ret"].to_numpy()
    assert march[5] == pytest.approx(np.log(bars[5] / bars[4]), abs=1e-6)


def test_without_any_context_a_build_succeeds_and_says_so_in_every_row(settings):
    with assemble(settings) as wired:
        wired.resources.lake.upsert(BARS_1M, reverting_bars("SPY", START, FEBRUARY, seed=1))
        # SPY itself may stand for the market: alone it is seen, a volatility proxy is not
        build(wired, settings, "SPY", end=FEBRUARY)
        values = rows(wired, "SPY")
        assert (values["context_missing"] == 1).all()
        assert (values["vix_rel_vol"] == 1).all()
        assert (values["qqq_return"] != 0).mean() > 0.9
        assert values.drop("ts").fill_nan(None).null_count().sum_horizontal().item() == 0


def test_one_monthly_mixture_serves_every_symbol_and_a_rebuild_fits_nothing(service, settings):
    first = build(service, settings, "SPY", "regime")
    # nothing was known before January: no fit; February's is made once
    assert [(fit["month"], fit["numbers"] is not None) for fit in first["fits"]] == [
        ("2024-01", False),
        ("2024-02", True),
    ]
    assert build(service, settings, "OTHER", "regime")["fits"] == []
    labels = rows(service, "SPY", "regime").with_columns(early=pl.col("ts") < FEBRUARY)
    assert set(labels.filter("early")["regime_gmm"].unique()) == {-1.0}
    assert set(labels.filter(~pl.col("early"))["regime_gmm"].unique()) <= {0.0, 1.0, 2.0}
    # other bars of SPY: its block is made again, the market's mixture is not
    service.resources.lake.upsert(BARS_1M, reverting_bars("SPY", FEBRUARY, END, seed=30))
    again = build(service, settings, "SPY", "regime")
    assert (len(again["built"]), again["fits"]) == (1, [])
    # nor does it hear of the market's own bars of the month it serves; those before it do count
    service.resources.lake.upsert(BARS_1M, reverting_bars("QMKT", FEBRUARY, END, seed=31))
    assert build(service, settings, "SPY", "regime")["fits"] == []
    service.resources.lake.upsert(BARS_1M, reverting_bars("QMKT", datetime(2024, 1, 30, tzinfo=UTC), FEBRUARY, seed=32))
    assert [fit["month"] for fit in build(service, settings, "SPY", "regime")["fits"]] == ["2024-02"]


def test_symbols_side_by_side_over_rest(service, settings):
    lake = service.resources.lake
    gap = reverting_bars("GAPPY", START, END, seed=7).filter(pl.int_range(pl.len()) % 3 != 1)
    lake.upsert(BARS_1M, gap)
    for symbol in ("SPY", "GAPPY"):
        build(service, settings, symbol, "core")
    with serving(create_app(settings)) as http:
        asked = {"symbols": "SPY,GAPPY", "columns": "ibs", "start": "2024-02-01T00:00:00Z"}
        both = {}
        for kind, read in (("parquet", pl.read_parquet), ("arrow", pl.read_ipc), ("csv", pl.read_csv)):
            answer = http.get("/features", params={**asked, "format": kind})
            assert answer.status_code == 200, answer.text
            both[kind] = read(io.BytesIO(answer.content))
        inner = both["parquet"]
        assert inner.columns == ["ts", "ibs_SPY", "ibs_GAPPY"]
        assert inner.equals(both["arrow"])
        assert both["csv"].height == inner.height == gap.filter(pl.col("ts") >= FEBRUARY).height
        exact = http.get("/features", params={**asked, "join": "asof", "max_age": 0, "format": "parquet"})
        exact = pl.read_parquet(io.BytesIO(exact.content))
        loose = http.get("/features", params={**asked, "join": "asof", "max_age": 60, "format": "parquet"})
        loose = pl.read_parquet(io.BytesIO(loose.content))
        assert exact.height == loose.height > inner.height
        assert exact.drop_nulls().drop("age_seconds_GAPPY").equals(inner)
        assert loose["ibs_GAPPY"].null_count() <= 30  # a first minute of a day may be the missing one
        assert set(loose["age_seconds_GAPPY"].drop_nulls()) == {0, 60}
        # what a row takes does not depend on where the span begins, also where the other has no row in it
        late = loose.filter(pl.col("age_seconds_GAPPY") == 60)["ts"][0]
        asked |= {"start": late.isoformat(), "end": (late + timedelta(minutes=1)).isoformat()}
        alone = http.get("/features", params={**asked, "join": "asof", "max_age": 60, "format": "parquet"})
        assert pl.read_parquet(io.BytesIO(alone.content)).equals(loose.filter(pl.col("ts") == late))
        [none] = http.get("/features", params={**asked, "join": "asof", "max_age": 0}).json()
        assert none["ibs_GAPPY"] is None
        for query, words in (("symbols=SPY", "2 to 50"), ("symbols=SPY,NOPE", "no features")):
            assert words in http.get(f"/features?{query}").json()["detail"]


def test_options_symbols_columns_and_episodes_over_rest(service, settings, monkeypatch):
    build(service, settings, "SPY", "core")
    build(service, settings, "OTHER", "core", end=datetime(2024, 1, 15, tzinfo=UTC))
    with serving(create_app(settings)) as http:
        options = {one["id"]: one for one in http.get("/options").json()}
        # January's 21 sessions, all that OTHER has, are too few for 20 and half a block of 5
        assert (options["rolling_20_5"]["sessions_needed"], options["rolling_20_5"]["symbols"]) == (23, 1)
        assert options["rolling_250_60"]["symbols"] == 0
        enough = http.get("/symbols", params={"options": "rolling_20_5"}).json()
        assert {one["symbol"]: one["sessions"] for one in enough} == {"SPY": 41}
        (built,) = http.get("/columns", params={"symbol": "SPY"}).json()
        assert built["columns"][0] == "log_return_1m"
        folds = http.get("/folds/SPY", params={"option": "rolling_20_5", "horizon_bars": 15}).json()
        assert [one["test_rows"] for one in folds] == [5 * 390] * 4
        assert folds[0]["train_rows"] == 20 * 375 - 30
        asked = {"option": "rolling_20_5", "timeframe": "15m", "format": "parquet"}
        frame = pl.read_parquet(io.BytesIO(http.get("/folds/SPY/0", params=asked).content))
        assert frame.filter(pl.col("split") == "test").height == 5 * 26
        assert (frame["known_at"] - frame["ts"]).unique().to_list() == [timedelta(minutes=15)]
        for path, words in (
            ("/folds/SPY/9?option=rolling_20_5", "there is no 9"),
            ("/folds/SPY?option=nope", "no option 'nope'"),
            ("/folds/SPY/0?option=rolling_20_5&timeframe=2m", "no timeframe '2m'"),
            ("/folds/NOPE", "no features"),
            ("/symbols?options=nope", "no option 'nope'"),
        ):
            assert words in http.get(path).json()["detail"]
        # 25 days of minutes are too many values, of days they are few
        monkeypatch.setitem(MOST_VALUES, "json", 100_000)
        large = http.get("/folds/SPY/0", params={"option": "rolling_20_5"})
        assert (large.status_code, "this answer may hold 100,000" in large.json()["detail"]) == (400, True)
        days = http.get("/folds/SPY/0", params={"option": "rolling_20_5", "timeframe": "1d"})
        assert len(days.json()) == 24  # the embargo takes the end of the last training day, and its day with it
        monkeypatch.setattr("feature_service.use_cases.together.MOST_READ", 100_000)
        assert http.get(days.request.url).status_code == 400


def test_sessions_are_counted_once_a_build(service, settings):
    build(service, settings, "SPY", "core", end=FEBRUARY)
    with serving(create_app(settings)) as http:
        assert http.get("/symbols").json() == [{"symbol": "SPY", "sessions": 21}]
        january = service.resources.lake.partitions(FEATURES, symbol="SPY")[0].path(FEATURES)
        file = Path(service.resources.lake.files.address(january))
        away = file.rename(file.with_suffix(".away"))
        assert http.get("/symbols").json() == [{"symbol": "SPY", "sessions": 21}]
        away.rename(file)
        build(service, settings, "SPY", "core")
        assert http.get("/symbols").json() == [{"symbol": "SPY", "sessions": 41}]


def test_the_regime_timeline_covers_every_row_once(service, settings):
    build(service, settings, "SPY", "regime")
    with serving(create_app(settings)) as http:
        regimes = {one["regime"]: one for one in http.get("/features/SPY/regimes").json()}
    assert list(regimes) == ["regime_vix", "regime_gmm", "regime_sma"]
    assert regimes["regime_vix"]["labels"][2] == "bull volatile"
    for one in regimes.values():
        assert sum(span["rows"] for span in one["spans"]) == rows(service, "SPY", "regime").height
        assert 1 <= len(one["spans"]) <= 1_000


@pytest.mark.usefixtures("service")
def test_leak_checks_over_rest(settings):
    bars = reverting_bars("SPY", START, END, seed=1)
    honest = bars.select("ts", value=pl.col("close").log().diff(5))
    shifted = bars.select("ts", value=pl.col("close").log().diff(5).shift(-5))
    vintage = honest.with_columns(earlier=pl.col("value") * 1.01)
    with serving(create_app(settings)) as http:

        def check(body, kind="text/csv", path="/leak-check?symbol=SPY"):
            return http.post(path, content=body, headers={"Content-Type": kind})

        def parquet(frame):
            buffer = io.BytesIO()
            frame.write_parquet(buffer)
            return buffer.getvalue()

        text = honest.drop_nulls().with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv()
        fine = check(text.encode()).json()
        assert fine["leak"] is False
        assert "earlier" in fine["skipped"]["vintages"]
        bad = check(parquet(shifted), "application/vnd.apache.parquet").json()
        assert bad["leak"] is True
        assert any("later" in one["detail"] and one["leak"] for one in bad["findings"])
        assert check(parquet(vintage)).json()["findings"][0]["leak"] is True
        feature = http.post("/leak-check/vix_z_score?symbol=SPY").json()
        assert feature["leak"] is False
        assert {one["check"] for one in feature["findings"]} == {"prefix", "future changed", "context changed"}
        for answer, status, words in (
            (check(b"a,b\n1,2\n"), 400, "no column 'ts'"),
            (check(b"PAR1nonsense"), 400, "neither CSV"),
            (check(b"ts,value\nyesterday,1\n"), 400, "not a column of times"),
            (check(b"ts,value\n"), 400, "no rows"),
            (check(b"ts,value\n9999-12-31T00:00:00Z,1\n"), 400, "use the years 1900 to 2199"),
            (check(b"ts,value\n2024-01-03T14:30:00Z,1\n"), 400, "needs at least"),
            (check(parquet(honest), path="/leak-check?symbol=NOPE"), 404, "no bars of NOPE"),
            (http.post("/leak-check/nope?symbol=SPY"), 404, "no feature 'nope'"),
        ):
            assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text


def test_bars_that_arrive_later_change_no_value_of_any_feature_that_was_built(settings):
    """The law of causality through the whole machinery: choice of context, warm-up, monthly fits, blocks."""
    moment = datetime(2024, 2, 14, 17, tzinfo=UTC)
    with assemble(settings) as wired:
        every = {symbol: reverting_bars(symbol, START, END, seed=seed) for symbol, seed in SEEDS.items()}
        # kernels compile outside the job: nothing beats for it here, and a busy machine takes longer than its lease
        feature_set("full").compute(bars_of(every["SPY"].head(1_000)))
        every["VIXY"] = reverting_bars("VIXY", datetime(2024, 2, 20, tzinfo=UTC), END, seed=5)
        for bars in every.values():
            if not (known := bars.filter(pl.col("ts") <= moment)).is_empty():
                wired.resources.lake.upsert(BARS_1M, known)
        build(wired, settings, "SPY", "full")
        then = rows(wired, "SPY", "full")
        for bars in every.values():
            wired.resources.lake.upsert(BARS_1M, bars)
        assert [block["month"] for block in build(wired, settings, "SPY", "full")["built"]] == ["2024-02"]
        now = rows(wired, "SPY", "full")
    assert then["ts"][-1] == moment
    assert now["ts"][-1] > moment
    assert now.filter(pl.col("ts") <= moment).equals(then, null_equal=True)
