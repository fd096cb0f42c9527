"""What a fetch will cost, told before it: the exchange is really asked that often then."""

from __future__ import annotations


def estimate(house, symbols: str, start: str, end: str, **more: object):
    answer = house.http.get("/ingest/estimate", params={"symbols": symbols, "start": start, "end": end, **more})
    assert answer.is_success, answer.text
    return answer.json()


def test_the_exchange_is_asked_as_often_as_was_told(start_exchange, open_house):
    exchange = start_exchange()
    house = open_house(exchange.url)
    for symbols, start, end in (("EDGE", "2024-01-10", "2024-04-01"), ("CALM, FLAT", "2023-12-31", "2024-03-05")):
        told = estimate(house, symbols, start, end)
        assert (told["symbols"], told["pieces"]) == (symbols.count(",") + 1, told["of_pieces"])
        asked = exchange.requests()
        for symbol in symbols.split(", "):
            house.ingest(symbol, start, end)
        assert exchange.requests() - asked == told["requests"] > 0


def test_only_what_is_missing_is_counted_and_the_last_fetches_tell_how_long_it_takes(start_exchange, open_house):
    house = open_house(start_exchange().url)
    before = estimate(house, "EDGE", "2024-01-01", "2024-07-01")
    assert (before["requests"], before["seconds"], before["words"]) == (6, None, "About 6 requests.")

    house.ingest("EDGE", "2024-01-01", "2024-03-01")
    after = estimate(house, "EDGE", "2024-01-01", "2024-07-01")
    assert (after["pieces"], after["of_pieces"], after["requests"]) == (4, 6, 4)
    job = house.job(1)
    assert job["kind"] == "ingestion.ingest"
    assert 0 < after["seconds"] < 600
    assert after["words"].endswith("of one worker; 2 of 6 months were answered before.")

    there = estimate(house, "EDGE", "2024-01-01", "2024-03-01")
    assert (there["requests"], there["words"]) == (0, "Nothing to ask for: all of it was answered before.")
    again = estimate(house, "EDGE", "2024-01-01", "2024-03-01", refresh="true")
    assert (again["pieces"], again["requests"]) == (2, 2)


def test_a_month_around_the_clock_is_several_pages(open_house):
    house = open_house()
    told = estimate(house, "BTC/USD", "2024-01-01", "2024-03-01", provider="massive,yahoo")
    assert told["requests"] == 5 + 5  # windows of seven days, for Massive has no key here
    assert estimate(house, "BTC/USD", "2024-01-01", "2024-03-01")["requests"] == 5 + 5  # 44,640 and 41,760 minutes


def test_decades_of_days_are_one_question(open_house):
    told = estimate(open_house(), "IBM, SPY", "1990-01-01", "2024-01-01", timeframe="1d", provider="yahoo")
    assert (told["requests"], told["seconds"], told["words"]) == (2, None, "About 2 requests.")


def test_what_the_job_would_be_refused_for_is_said_at_once(open_house):
    house = open_house()
    for more, word in (
        ({"provider": "nobody"}, "nobody"),
        ({"start": "2099-01-01", "end": "2099-02-01"}, "happened yet"),
        ({"end": "2023-01-01"}, "must be later"),
        ({"symbol": "EDGE"}, "not known"),
        ({"symbols": ""}, "symbols"),
    ):
        asked = {"symbols": "EDGE", "start": "2024-01-01", "end": "2024-02-01"} | more
        answer = house.http.get("/ingest/estimate", params=asked)
        assert answer.status_code in (400, 422)
        assert word in answer.json()["detail"]
