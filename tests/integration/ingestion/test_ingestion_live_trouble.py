"""The live updater while the stream leaves out minutes, refuses what is wanted, or tells what cannot be."""

from __future__ import annotations

from datetime import timedelta

from live_support import agent, listen, played, stored, truth

from shared.testing.waiting import eventually


def test_a_stream_that_lets_nobody_in_is_an_alert_in_its_words_and_bars_are_polled(open_house):
    with played(speed=600, stream_error=406) as exchange:
        house = open_house(exchange.url, worker=True)
        listen(house, exchange, ("EDGE",))
        state = eventually(lambda: (found := agent(house))["state"] == "alert" and found, timeout=40, what="an alert")
        assert "the stream says: connection limit exceeded" in state["alert"]
        eventually(lambda: len(stored(house, "EDGE")) > 20, timeout=30, what="polled bars")
        rows = stored(house, "EDGE")
        assert rows == truth("EDGE")[: len(rows)]
        house.post("/agents/live/stop")


def test_minutes_the_stream_leaves_out_are_asked_for_while_it_goes_on(open_house):
    with played(speed=150, stream_lose_every=7) as exchange:
        house = open_house(exchange.url, worker=True)
        listen(house, exchange)

        def whole() -> bool:
            until = exchange.timeline.now() - timedelta(minutes=20)
            for symbol in ("CALM", "EDGE"):
                past = [row for row in truth(symbol) if row[0] < until]
                if len(past) < 40 or [row for row in stored(house, symbol) if row[0] < until] != past:
                    return False
            return True

        eventually(whole, timeout=60, what="every minute but the last ones, in the middle of the session")
        state = agent(house)
        assert (state["runs"], state["state"]) == (0, "running")
        assert state["note"].startswith("live")
        assert exchange.streams == 1  # nothing was cut
        house.post("/agents/live/stop")


def test_a_bar_of_another_time_is_put_aside_and_makes_nothing_look_fresh(open_house):
    with played(speed=300, stream_misdate_every=10) as exchange:
        house = open_house(exchange.url, worker=True)
        listen(house, exchange, ("EDGE",))
        eventually(lambda: len(stored(house, "EDGE")) > 40, timeout=40, what="bars")
        (seen,) = house.http.get("/monitoring").json()["staleness"]
        assert seen["last"].startswith("2024-07-03")
        house.post("/agents/live/stop")
        refused = house.http.get("/quarantine", params={"symbol": "EDGE"}).json()["items"]
        assert {row["reason"] for row in refused} == {"outside the span it was asked for"}
