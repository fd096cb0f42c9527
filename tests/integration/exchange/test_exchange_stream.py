"""The exchange's live stream as Alpaca's own client and a plain one see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import msgpack
import polars as pl
import pytest
from websockets.sync.client import connect

from ingestion_service.domain.live import Dropped, LiveBar, Refused, Subscribed, Troubled
from ingestion_service.store.alpaca_stream import AlpacaStream, stream_url
from shared.clock import SystemClock
from shared.testing.servers import serving
from shared.testing.waiting import eventually
from simulated_exchange.app import create_app
from simulated_exchange.market import Market
from simulated_exchange.replay import ReplayMarket
from simulated_exchange.settings import ExchangeSettings
from simulated_exchange.timeline import Timeline

OPENS = datetime(2024, 7, 3, 13, 30, tzinfo=UTC)
BARS = Market().bars("EDGE", OPENS, OPENS + timedelta(hours=4))


@pytest.fixture
def exchange() -> Iterator[Callable[..., httpx.Client]]:
    with ExitStack() as stack:

        def opened(speed: float = 600, **faults: float) -> httpx.Client:
            replay = ReplayMarket({"EDGE": BARS}, Timeline.replay(SystemClock(), OPENS, speed))
            return stack.enter_context(serving(create_app(ExchangeSettings.model_validate(faults), replay)))

        yield opened


def client(http: httpx.Client, key: str = "simulated") -> AlpacaStream:
    return AlpacaStream(
        name="simulated",
        base_url=str(http.base_url),
        key_id=key,
        secret_key="simulated-secret",
        feed="iex",
        symbols=["EDGE"],
    )


def test_alpacas_client_hears_each_minute_once_and_as_it_was(exchange):
    stream, said = client(exchange()), []
    eventually(lambda: said.extend(stream.take(0.1)) or len(said) > 20, what="twenty bars")
    stream.close()
    assert isinstance(said[0], Subscribed)
    bars = said[1:]
    assert all(isinstance(bar, LiveBar) for bar in bars)
    first = BARS["ts"].to_list().index(bars[0].ts)
    expected = BARS.slice(first, len(bars)).select("ts", "o", "h", "l", "c", "v").rows()
    assert [(b.ts, b.open, b.high, b.low, b.close, b.volume) for b in bars] == expected


def test_a_bar_that_was_revised_comes_again_as_it_is(exchange):
    stream, said = client(exchange(stream_revise_every=2)), []
    eventually(lambda: said.extend(stream.take(0.1)) or len(said) > 40, what="forty bars")
    stream.close()
    heard: dict[datetime, list[float]] = {}
    for bar in said[1:]:
        heard.setdefault(bar.ts, []).append(bar.close)
    # the last minutes' updates may not have come, and of the minute before we listened only its update did
    sure = [ts for ts in heard if min(heard) < ts < max(heard) - timedelta(minutes=2)]
    assert len(sure) > 10
    for ts in sure:
        row = BARS.row(by_predicate=pl.col("ts") == ts, named=True)
        revised = int(ts.timestamp()) // 60 % 2 == 0
        assert heard[ts] == ([row["o"], row["c"]] if revised else [row["c"]])


def test_a_cut_stream_says_so_and_subscribes_again(exchange):
    stream, said = client(exchange(stream_cut_seconds=0.5)), []
    eventually(lambda: said.extend(stream.take(0.1)) or sum(isinstance(e, Subscribed) for e in said) >= 3, timeout=20)
    stream.close()
    control = [type(event) for event in said if not isinstance(event, LiveBar)]
    assert control[:5] == [Subscribed, Dropped, Subscribed, Dropped, Subscribed]


def test_wrong_credentials_are_refused_once(exchange):
    http = exchange()
    stream = client(http, key="guess")
    [event] = eventually(lambda: stream.take(0.5), what="an answer")
    assert isinstance(event, Refused)
    assert "auth failed" in event.reason
    eventually(lambda: not stream._thread.is_alive(), what="the client's end")
    assert http.get("/healthz").json()["streams"] == 1


@pytest.mark.parametrize(("code", "said"), [(406, "connection limit exceeded"), (405, "symbol limit exceeded")])
def test_what_the_provider_says_is_wrong_is_heard(exchange, code, said):
    stream, heard = client(exchange(stream_error=code)), []
    eventually(lambda: heard.extend(stream.take(0.1)) or any(isinstance(e, Troubled) for e in heard), what="its words")
    stream.close()
    assert said in next(event for event in heard if isinstance(event, Troubled)).reason
    assert not any(isinstance(event, LiveBar | Subscribed) for event in heard)


def test_minutes_that_are_lost_do_not_come(exchange):
    stream, said = client(exchange(stream_lose_every=3)), []
    eventually(lambda: said.extend(stream.take(0.1)) or len(said) > 20, what="twenty bars")
    stream.close()
    minutes = [int(bar.ts.timestamp()) // 60 for bar in said if isinstance(bar, LiveBar)]
    assert [minute for minute in minutes if minute % 3 == 0] == []
    assert max(after - before for before, after in pairwise(minutes)) == 2


@pytest.mark.parametrize("packed", [True, False], ids=["msgpack", "json"])
def test_the_protocol_is_alpacas(exchange, packed):
    url = str(exchange().base_url).replace("http", "ws") + "/v2/iex"
    headers = {"Content-Type": "application/msgpack"} if packed else {}

    def said(socket):
        data = socket.recv(timeout=5)
        return msgpack.unpackb(data) if isinstance(data, bytes) else json.loads(data)

    def say(socket, message):
        socket.send(msgpack.packb(message) if packed else json.dumps(message))
        return said(socket)

    with connect(url, additional_headers=headers, proxy=None) as socket:
        assert said(socket) == [{"T": "success", "msg": "connected"}]
        assert say(socket, {"action": "subscribe", "bars": ["EDGE"]}) == [
            {"T": "error", "code": 401, "msg": "not authenticated"}
        ]
        assert say(socket, {"action": "dance"})[0]["code"] == 401
        assert say(socket, ["?"])[0]["code"] == 400
        assert say(socket, {"action": "auth", "key": "simulated", "secret": "x"})[0]["code"] == 402
        auth = {"action": "auth", "key": "simulated", "secret": "simulated-secret"}
        assert say(socket, auth) == [{"T": "success", "msg": "authenticated"}]
        assert say(socket, auth)[0]["code"] == 403
        [answer] = say(socket, {"action": "subscribe", "bars": ["edge"], "updatedBars": ["*"]})
        assert (answer["T"], answer["bars"], answer["updatedBars"]) == ("subscription", ["EDGE"], ["*"])
        [bar] = said(socket)
        assert (bar["T"], bar["S"]) == ("b", "EDGE")
        assert isinstance(bar["t"], msgpack.Timestamp if packed else str)


def test_what_has_not_happened_yet_is_not_told(exchange):
    http = exchange(speed=60)
    keys = {"APCA-API-KEY-ID": "simulated", "APCA-API-SECRET-KEY": "simulated-secret"}
    found = http.get("/v2/stocks/EDGE/bars", params={"start": "2024-07-03"}, headers=keys).json()["bars"] or []
    now = datetime.fromisoformat(http.get("/v2/clock").json()["timestamp"])
    assert len(found) <= (now - OPENS) / timedelta(minutes=1)


def test_the_real_stream_has_a_host_of_its_own():
    assert stream_url("https://data.alpaca.markets", "sip") == "wss://stream.data.alpaca.markets/v2/sip"
    assert stream_url("http://127.0.0.1:8900", "iex") == "ws://127.0.0.1:8900/v2/iex"
