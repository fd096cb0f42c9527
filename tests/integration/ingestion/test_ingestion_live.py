"""The live updater against the exchange's stream: a past day played fast, cut connections, a killed worker."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from live_support import BEGINS, ENDS, OPTIONS, SYMBOLS, agent, listen, played, stored, truth
from wire_servers import Wire, alpaca_crypto

from shared.clock import SystemClock
from shared.testing.ports import free_port
from shared.testing.servers import serving
from shared.testing.waiting import eventually
from simulated_exchange.market import Market
from simulated_exchange.timeline import Timeline

ROOT = Path(__file__).parents[3]
#: an exchange in a process of its own, whose day goes on wherever its last process was killed
EXCHANGE = """
import sys, uvicorn
from datetime import datetime, timedelta
from shared.clock import SystemClock
from simulated_exchange.app import create_app
from simulated_exchange.market import Market
from simulated_exchange.replay import ReplayMarket
from simulated_exchange.settings import ExchangeSettings
from simulated_exchange.timeline import Timeline
port, began = int(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
timeline = Timeline(SystemClock(), began, since=float(sys.argv[3]), speed=float(sys.argv[4]))
bars = {"EDGE": Market().bars("EDGE", began, began + timedelta(hours=4))}
app = create_app(ExchangeSettings(stream_cut_seconds=3), ReplayMarket(bars, timeline))
uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)
"""


@pytest.mark.parametrize("kill", [False, True], ids=["cut", "cut and killed"])
def test_a_cut_stream_and_a_killed_worker_leave_the_truth(open_house, kill):
    # slow enough that the updater, which looks at the clock after a cut, is not at the day's end before that
    with played(speed=400, stream_cut_seconds=1.5, stream_revise_every=5) as exchange:
        house = open_house(exchange.url, worker=True)
        listen(house, exchange)
        exchange.speed = 2400  # when it goes on after it was held
        if kill:
            eventually(lambda: len(stored(house, "EDGE")) > 20, timeout=30, what="some bars")
            house.workers[0].kill()
            house.workers[0].wait()
            exchange.hold()
            assert len(stored(house, "EDGE")) < len(truth("EDGE"))
            before = exchange.streams
            house.start_worker()
            eventually(lambda: exchange.streams > before, timeout=60, what="a listener again")
            exchange.run()
        else:
            # in the middle of the session, after cuts: no minute that has ended is missing between those stored
            eventually(lambda: exchange.streams > 2, timeout=30, what="cuts")
            exchange.hold()
            for symbol in SYMBOLS:
                ended = [row[0] for row in truth(symbol) if row[0] + timedelta(minutes=1) <= exchange.timeline.now()]
                eventually(
                    lambda symbol=symbol, ended=ended: [row[0] for row in stored(house, symbol)] == ended,
                    timeout=20,
                    what=f"every minute of {symbol} up to {ended[-1]}",
                )
            exchange.run()
        eventually(lambda: agent(house)["runs"] > 0, timeout=60, what="the end of the window")
        result = agent(house)["last_result"]
        assert result["received"] > 0
        assert result["drops"] >= (0 if kill else 2)
        for symbol in SYMBOLS:
            assert stored(house, symbol) == truth(symbol)
        state = agent(house)
        assert (state["state"], state["wanted"]) == ("waiting", "running")
        assert state["next_run"] is not None


def test_silence_in_session_is_an_alert_and_stopping_ends_the_run(open_house):
    # slow enough that the half day does not end by itself before it is told to stop
    with played(speed=120, stream_cut_seconds=1) as exchange:
        house = open_house(exchange.url, worker=True)
        listen(house, exchange, ("NOPE",), alert_minutes=1)
        state = eventually(lambda: (found := agent(house))["state"] == "alert" and found, timeout=40, what="an alert")
        assert "no bar since 2024-07-03 13:30 UTC" in state["alert"]
        house.post("/agents/live/stop")
        state = agent(house)
        assert (state["state"], state["job_id"], state["alert"]) == ("stopped", None, None)
        assert (
            house.http.get("/jobs", params={"kind": "ingestion.live_agent"}).json()["items"][0]["state"] == "CANCELLED"
        )


def test_a_feed_without_a_stream_is_polled(open_house):
    with played(speed=2400) as exchange:
        house = open_house(exchange.url, worker=True, ALPACA_FEED="delayed_sip")
        house.post("/watchlist", symbols=["EDGE"], since="2024-07-02")
        house.post("/agents/live/start", options=OPTIONS)
        eventually(lambda: agent(house)["note"].startswith("polling"), timeout=60, what="a run")
        exchange.run()  # nobody will subscribe
        eventually(lambda: len(stored(house, "EDGE")) > 20, timeout=30, what="some bars")
        eventually(lambda: agent(house)["runs"] > 0, timeout=60, what="the end of the window")
        assert stored(house, "EDGE") == truth("EDGE")
        assert agent(house)["last_result"]["received"] == 0
        assert exchange.streams == 0


def test_a_coin_is_polled_while_the_exchange_is_closed(open_house):
    saturday = datetime(2024, 7, 6, 12, tzinfo=UTC)
    timeline = Timeline.replay(SystemClock(), saturday, 4_000)  # Monday's window begins 44 seconds from now
    weekend = pl.datetime_range(saturday, saturday + timedelta(hours=20), "1m", closed="left", eager=True)
    coin = pl.DataFrame({"ts": weekend, "close": 100.0 + (pl.int_range(len(weekend), eager=True) % 7) / 10})
    coin = coin.select("ts", open="close", high="close", low="close", close="close", volume=pl.lit(2.0))
    wire = Wire({"BTC/USD": coin}, page=10_000)
    app = alpaca_crypto(wire)

    @app.get("/v2/clock")
    def clock() -> dict[str, object]:
        return {"timestamp": timeline.now().isoformat(), "speed": timeline.speed}

    with serving(app) as http:
        house = open_house(str(http.base_url), worker=True)
        house.post("/watchlist", symbols=["BTCUSD"], since="2024-07-06")
        house.post("/agents/live/start", options=OPTIONS)
        eventually(lambda: agent(house)["note"].startswith("polling coins"), timeout=60, what="a run")
        eventually(lambda: len(stored(house, "BTCUSD")) == coin.height, timeout=40, what="every minute of the coin")
        assert agent(house)["state"] == "running"
        house.post("/agents/live/stop")


@pytest.mark.slow
def test_a_killed_exchange_is_waited_for_and_the_truth_is_stored(open_house):
    port, speed = free_port(), 300.0
    url = f"http://127.0.0.1:{port}"
    house = open_house(url, worker=True)
    house.post("/watchlist", symbols=["EDGE"], since="2024-07-02")
    # its day begins in half a minute: until then there is time to start everything
    began = [str(port), BEGINS.isoformat(), str(time.monotonic() + 30), str(speed)]
    command = [sys.executable, "-c", EXCHANGE, *began]
    exchange = subprocess.Popen(command, cwd=ROOT)
    try:
        eventually(lambda: httpx.get(f"{url}/healthz", trust_env=False).is_success, timeout=30, what="the exchange")
        house.post("/agents/live/start", options={**OPTIONS, "minutes_before": 180})
        for _ in range(2):
            rows = len(stored(house, "EDGE"))
            eventually(lambda rows=rows: len(stored(house, "EDGE")) > rows + 20, timeout=120, what="more bars")
            exchange.kill()
            exchange.wait()
            # its day goes on while nobody answers
            eventually(lambda: agent(house)["note"].startswith("connecting"), timeout=30, what="a noticed drop")
            exchange = subprocess.Popen(command, cwd=ROOT)
        eventually(lambda: "received" in (agent(house)["last_result"] or {}), timeout=120, what="the window's end")
        assert stored(house, "EDGE") == truth("EDGE")
        assert agent(house)["last_result"]["drops"] >= 2
    finally:
        exchange.kill()
        exchange.wait()


def test_a_symbol_that_falls_silent_alone_is_an_alert_that_names_it(open_house, tmp_path):
    week = Market().bars("EDGE", BEGINS - timedelta(days=9), BEGINS)
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    week.rename(names).with_columns(symbol=pl.lit("GONE")).write_parquet(tmp_path / "GONE.parquet")
    with played(speed=60) as exchange:
        house = open_house(exchange.url, worker=True)
        house.done(house.post("/import", path=str(tmp_path / "GONE.parquet"))["job_id"])
        # five seconds here: a machine that is busy for longer makes the whole feed late, which is another alert
        listen(house, exchange, ("EDGE", "GONE"), alert_minutes=5)
        state = eventually(lambda: (found := agent(house))["state"] == "alert" and found, timeout=60, what="an alert")
        assert state["alert"].startswith("1 of 2 symbols silent for far longer than usual, in session: GONE;")


def test_a_house_that_follows_a_past_day_lives_in_its_time(open_house):
    with played(speed=0.0) as exchange:
        exchange.at(BEGINS + timedelta(minutes=65))  # an hour of the session is over
        house = open_house(exchange.url)
        # a year before today, by default; the day is not over, and what is to come was not answered
        house.done(house.post("/watchlist", symbols=["EDGE"])["jobs"][0]["job_id"])
        assert stored(house, "EDGE") == truth("EDGE")[:60]
        covered = house.http.get("/coverage").json()["items"][0]
        assert (covered["missing_minutes"], covered["no_trade_minutes"]) == (0, 0)
        seen = house.http.get("/monitoring").json()
        assert [(row["symbol"], row["minutes_behind"]) for row in seen["staleness"]] == [("EDGE", 0)]
        assert sum(hour["stored"] for hour in seen["feed"]["hours"]) == 60
        late = house.http.post("/ingest/EDGE", json={"start": "2024-07-05", "end": "2024-07-06"})
        assert late.status_code == 400
        assert "has happened yet, it is 2024-07-03" in late.json()["detail"]

        exchange.at(ENDS + timedelta(hours=1))

        def whole() -> bool:
            house.ingest("EDGE", "2024-07-03", "2024-07-04")
            return stored(house, "EDGE") == truth("EDGE")

        eventually(whole, timeout=30, what="the whole day, once the service has looked at the exchange's clock again")
