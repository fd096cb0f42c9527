"""What is misspelt, or lies in the future, is refused with words that say what would be right."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from shared.clock import SystemClock

SPAN = {"start": "2024-01-01", "end": "2024-02-01"}
MISSPELT = [
    ("POST", "/ingest/SPY", {**SPAN, "providr": "yahoo"}, "providr", "start, end, provider, refresh"),
    ("POST", "/ingest", {**SPAN, "symbols": ["SPY"], "togther": True}, "togther", "together"),
    ("POST", "/import", {"path": "/", "timezon": "UTC"}, "timezon", "timezone"),
    ("POST", "/watchlist", {"symbols": ["SPY"], "sinc": "2024-01-01"}, "sinc", "since"),
    ("PUT", "/universes/mine", {"symbol": ["SPY"]}, "symbol", "symbols"),
    ("PUT", "/retention", {"dataset": {}}, "dataset", "datasets"),
    ("POST", "/actions/SPY", [{"kind": "split", "ex_date": "2024-01-02", "val": 2}], "0.val", "value"),
    ("POST", "/agents/scan/start", {"option": {}}, "option", "options"),
    ("GET", "/bars/SPY?timefrme=1h", None, "timefrme", "timeframe"),
    ("GET", "/bars/SPY/lod?start=2024-01-01", None, "start", "from"),
    ("GET", "/gaps/SPY?reason=outage", None, "reason", "why"),
    ("GET", "/quarantine?symbl=SPY", None, "symbl", "symbol"),
    ("GET", "/coverage?serach=SPY", None, "serach", "search"),
    ("DELETE", "/backfill/SPY?strat=2024-01-01", None, "strat", "start"),  # would drop everything
    ("POST", "/backfill/SPY?max_iteration=2", None, "max_iteration", "max_iterations"),
]


def test_a_misspelt_name_is_refused_and_the_known_ones_are_told(open_house):
    house = open_house()
    for method, path, body, wrong, right in MISSPELT:
        answer = house.http.request(method, path, json=body)
        detail = answer.json()["detail"]
        assert answer.status_code == 422, (path, answer.text)
        assert f"{wrong}: is not known here: there are" in detail, (path, detail)
        assert right in detail.partition("there are")[2], (path, detail)


def test_forms_refuse_what_is_misspelt_too(open_house):
    house = open_house()
    forms = [
        ("/universes", {"name": "mine", "members": "SPY", "membrs": "QQQ"}, "membrs", "members"),
        ("/retention", {"superseded_day": "3"}, "superseded_day", "superseded_days"),
        ("/import", {"path": "/nowhere", "golb": "*"}, "golb", "glob"),
    ]
    for path, data, wrong, right in forms:
        answer = house.http.post(path, data=data, headers={"Accept": "text/html"})
        assert answer.status_code == 422, path
        assert f">{wrong}</a>: is not known here: there are" in answer.text, path
        assert right in answer.text


def test_a_coin_may_be_spelled_as_others_do(open_house):
    house = open_house()
    jobs = {
        house.http.post(path, json=SPAN).json()["job_id"]
        for path in ("/ingest/BTCUSD", "/ingest/BTC/USD", "/ingest/btc%2Fusd", "/ingest/BTC-USD", "/ingest/X:BTCUSD")
    }
    assert len(jobs) == 1
    assert house.http.post("/watchlist", json={"symbols": ["ETH/USD"]}).json()["jobs"][0]["symbol"] == "ETHUSD"
    for method, path, right in (
        ("GET", "/bars/BTC/USD", "/bars/BTCUSD"),
        ("GET", "/bars/BTC/USD/lod", "/bars/BTCUSD/lod"),
        ("DELETE", "/watchlist/ETH/USD", "/watchlist/ETHUSD"),
    ):
        answer = house.http.request(method, path)
        assert (answer.status_code, answer.json()["detail"]) == (404, f"a coin has no slash here: write {right}")
    assert "no bars of BTCUSD" in house.http.get("/bars/BTC-USD").json()["detail"]
    assert "no bars of VIX" in house.http.get("/quality/I:VIX").json()["detail"]


def test_rows_of_a_file_that_lie_in_the_future_are_refused(open_house, tmp_path):
    # a coin: it trades on the day this test is run, whichever that is
    minute = SystemClock().now().replace(second=0, microsecond=0)
    stamps = [minute + timedelta(minutes=one) for one in (-3, -2, -1, 0, 1, 60)]
    rows = pl.DataFrame({"ts": stamps, **{name: [1.0] * 6 for name in ("open", "high", "low", "close")}})
    rows.write_parquet(tmp_path / "BTCUSD.parquet")
    house = open_house()
    result = house.done(house.post("/import", path=str(tmp_path / "BTCUSD.parquet"))["job_id"])
    refused = house.http.get("/quarantine", params={"symbol": "BTCUSD"}).json()["items"]
    assert result["stored"] + len(refused) == 6
    assert len(refused) in (2, 3)  # a minute may end meanwhile
    assert {row["reason"] for row in refused} == {"its minute is not over yet"}
    body = {"start": f"{stamps[-1].isoformat()}", "end": f"{stamps[-1] + timedelta(minutes=1)}", "why": "I am early"}
    answer = house.http.post("/quarantine/BTCUSD/release", json=body)
    assert (answer.status_code, "its minute is not over yet" in answer.json()["detail"]) == (400, True)


def test_no_minute_is_asked_for_that_is_not_over(start_exchange, open_house):
    exchange = start_exchange()
    house = open_house(exchange.url)
    now = SystemClock().now()
    later = {"start": f"{now + timedelta(days=2):%Y-%m-%d}", "end": f"{now + timedelta(days=30):%Y-%m-%d}"}
    for path, body in (("/ingest/EDGE", later), ("/ingest", {**later, "symbols": ["EDGE"], "together": True})):
        answer = house.http.post(path, json=body)
        assert answer.status_code == 400
        assert "EDGE: nothing of the span from" in answer.json()["detail"]
        assert "has happened yet, it is" in answer.json()["detail"]
    span = {"start": f"{now - timedelta(days=7):%Y-%m-%d}", "end": later["end"]}
    for symbols in (["EDGE"], ["QMKT"]):
        job = house.post("/ingest", symbols=symbols, together=symbols == ["QMKT"], **span)["jobs"][0]["job_id"]
        result = house.done(job)
        assert result["stored"] > 0
    first = house.http.get("/bars/EDGE", params={"limit": 1}).json()["bars"][0]["ts"]
    assert first >= span["start"]
    for symbol in ("EDGE", "QMKT"):
        covered = house.http.get(f"/symbols/{symbol}").json()
        assert datetime.fromisoformat(covered["last"]) + timedelta(minutes=1) <= SystemClock().now()
        assert covered["stale_seconds"] >= 0
        asks = house.http.get(f"/asks/{symbol}").json()["answered"]
        assert all(datetime.fromisoformat(one["end"]) <= SystemClock().now() for one in asks)
