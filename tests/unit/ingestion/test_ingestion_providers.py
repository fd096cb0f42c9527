"""How providers are asked: names, patience, and what changed in their answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_service.domain.drift import Field, FieldWatch
from ingestion_service.domain.sources import NotOffered, Refused
from ingestion_service.domain.spans import Span, minus
from ingestion_service.domain.symbols import crypto_pair, massive_ticker, our_symbol, yahoo_ticker
from ingestion_service.settings import KNOWN, Settings
from ingestion_service.store.exchange_clock import MachineClock, provider_clock
from ingestion_service.store.offers import is_streamed, offers
from ingestion_service.store.patience import LEAVE_ALONE_S, NoAnswer, Patience, Reply
from ingestion_service.store.providers import ASKED_LAST_S, Offer, Providers
from ingestion_service.store.retry import Budget, RetryPolicy
from shared.clock import FixedClock
from shared.contracts.identifiers import check_symbol
from shared.errors import InvalidInput, Unavailable

NOW = datetime(2024, 6, 10, tzinfo=UTC)


def reply(status: int = 200, said: str = "", **headers: object) -> Reply[str]:
    return Reply(status, {name.replace("_", "-"): str(value) for name, value in headers.items()}, "value", lambda: said)


class Provider:
    """Answers from a list, the last one for ever; its clock moves when it is waited for."""

    def __init__(self, *answers: Reply[str] | Exception) -> None:
        self.answers, self.asked, self.waits = list(answers), 0, list[float]()
        self.clock = FixedClock(NOW)
        self.patience = Patience("the provider", "KEY", self.clock, RetryPolicy(attempts=4), self.wait)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    def once(self) -> Reply[str]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self) -> Reply[str]:
        return self.patience.ask(self.once)


@pytest.mark.parametrize(
    ("ours", "massive", "yahoo", "spellings"),
    [
        ("SPY", "SPY", "SPY", ["spy", " SPY "]),
        ("BRK.B", "BRK.B", "BRK-B", ["brk.b"]),
        ("VIX", "I:VIX", "^VIX", ["I:VIX", "^VIX", "^vix"]),
        ("SPX", "I:SPX", "^GSPC", ["I:SPX", "^GSPC"]),
        ("BTCUSD", "X:BTCUSD", "BTC-USD", ["BTC/USD", "X:BTCUSD", "btc/usd"]),
        ("ETHUSDT", "X:ETHUSDT", "ETH-USDT", ["ETH/USDT"]),
        ("EURUSD", "EURUSD", "EURUSD", ["EUR/USD"]),
    ],
)
def test_a_symbol_has_one_spelling_with_us_and_its_own_with_each_provider(ours, massive, yahoo, spellings):
    assert (massive_ticker(ours), yahoo_ticker(ours)) == (massive, yahoo)
    assert {check_symbol(our_symbol(spelling)) for spelling in spellings} == {ours}


def test_coins_are_told_from_stocks_and_currencies():
    assert crypto_pair("BTCUSD") == ("BTC", "USD")
    assert crypto_pair("DOGEUSDC") == ("DOGE", "USDC")
    assert [symbol for symbol in ("SPY", "MUSD", "GUSD", "EURUSD", "GBPUSD", "QQQ") if crypto_pair(symbol)] == []


def test_a_rate_limit_is_kept_before_it_is_hit():
    resets = NOW.timestamp() + 30
    room = Budget.read({"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "100", "X-RateLimit-Reset": str(resets)})
    tight = Budget(limit=200, left=9, resets_at=resets)
    spent = Budget(limit=200, left=0, resets_at=resets)
    assert [budget.wait_s(NOW, 90) for budget in (room, tight, spent)] == [0, 3, 30]
    assert Budget(limit=200, left=0, resets_at=resets + 1_000).wait_s(NOW, 90) == 90
    assert Budget.read({"x-ratelimit-limit": "soon"}).wait_s(NOW, 90) == Budget().wait_s(NOW, 90) == 0


@given(st.integers(1, 400), st.integers(1, 120))
def test_one_worker_that_reads_the_headers_is_never_refused(limit, window_s):
    """A server with `limit` requests a window; the client asks three windows' worth without a pause of its own."""
    provider, state = Provider(reply()), {"ends": 0.0, "used": 0}

    def once() -> Reply[str]:
        now = provider.clock.now().timestamp()
        if now >= state["ends"]:
            state["ends"], state["used"] = now + window_s, 0
        state["used"] += 1
        left = limit - state["used"]
        headers = {
            "x-ratelimit-limit": limit,
            "x-ratelimit-remaining": max(left, 0),
            "x-ratelimit-reset": state["ends"],
        }
        assert left >= 0, "refused"
        return Reply(200, {name: str(value) for name, value in headers.items()}, "value")

    for _ in range(3 * limit):
        provider.patience.policy = RetryPolicy(longest_obeyed_s=1e9)
        provider.patience.ask(once)
    assert provider.clock.now() - NOW < timedelta(seconds=4 * window_s)


def test_what_may_pass_is_asked_again_and_silence_ends_in_words():
    provider = Provider(NoAnswer("no answer (Timeout)"), reply(503), reply(429, retry_after=5), reply())
    assert provider.ask().value == "value"
    assert provider.waits[2] == pytest.approx(5.05, abs=0.06)
    silent = Provider(NoAnswer("no answer (ConnectionError)"))
    with pytest.raises(Unavailable, match=r"the provider: no answer \(ConnectionError\), 4 times in a row: check KEY"):
        silent.ask()
    assert (silent.asked, len(silent.waits)) == (4, 3)
    dead = Provider(NoAnswer("no answer"))
    dead.patience.policy = RetryPolicy(attempts=20)
    with pytest.raises(Unavailable, match="no answer, 5 times in a row"):
        dead.ask()


def test_at_once_said_again_and_again_is_not_obeyed_and_nonsense_is_not_heard():
    provider = Provider(reply(429, retry_after=0))
    with pytest.raises(Unavailable, match="4 times in a row"):
        provider.ask()
    assert [0.25 <= wait <= 0.5 for wait in provider.waits[:1]] == [True]
    assert provider.waits[2] >= 1.0  # twice the time before, less the jitter
    for odd in ("nan", "inf", "-inf", "soon"):
        heard = Provider(reply(429, retry_after=odd, **{"X-RateLimit-Remaining": 0, "X-RateLimit-Reset": odd}), reply())
        assert heard.ask().value == "value"
        assert 0.25 <= heard.waits[0] <= 0.5


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (401, "unauthorized", Refused),
        (403, "forbidden.", Refused),
        (403, "subscription does not permit querying recent SIP data", NotOffered),
        (404, "not found", NotOffered),
        (400, "invalid symbol: VIX/", NotOffered),
        (400, "end should not be before start", InvalidInput),
        (422, "limit must be a number", InvalidInput),
    ],
)
def test_what_cannot_pass_is_asked_once(status, said, error):
    provider = Provider(reply(status, said))
    with pytest.raises(error, match=str(status)) as raised:
        provider.ask()
    assert type(raised.value) is error
    assert (provider.asked, provider.waits) == (1, [])


def test_after_a_refusal_the_provider_is_left_alone_for_a_while():
    provider = Provider(reply(401, "no"), reply())
    for _ in range(3):
        with pytest.raises(Refused):
            provider.ask()
    assert provider.asked == 1
    provider.clock.advance(timedelta(seconds=LEAVE_ALONE_S + 1))
    assert provider.ask().value == "value"


def test_new_missing_and_retyped_fields_are_noticed_once_each():
    watch = FieldWatch(
        "p", {"t": Field(type="string"), "c": Field(type="number"), "n": Field(type="number", optional=True)}
    )
    watch.look([{"t": "a", "c": 1}, {"t": "b", "c": 2.5, "n": 3}, {"t": "c", "c": 1, "n": None}])
    assert watch.take() == []
    watch.look([{"t": "a", "c": "1.5"}, {"t": "b"}, {"t": "b", "c": True, "x": {"deep": 1}}])
    watch.look([{"t": None, "c": "2.5", "x": {}}])
    found = {(d.field, d.kind, d.type): (d.rows_seen, d.example) for d in watch.take()}
    assert found == {
        ("x", "new", "object"): (2, "{'deep': 1}"),
        ("c", "missing", ""): (1, ""),
        ("c", "retyped", "string"): (2, "1.5"),
        ("c", "retyped", "boolean"): (1, "True"),
        ("t", "retyped", "null"): (1, "None"),
    }
    assert watch.take() == []


MINUTES = st.integers(0, 50)


@given(st.lists(st.tuples(MINUTES, st.integers(1, 20)), max_size=6))
def test_what_is_left_of_a_span_is_what_nobody_took(pieces):
    def at(minute: int) -> datetime:
        return NOW + timedelta(minutes=minute)

    def minutes(spans: list[Span]) -> list[int]:
        return [m for m in range(80) for span in spans if span.start <= at(m) < span.end]

    whole, taken = Span(at(10), at(40)), [Span(at(start), at(start + length)) for start, length in pieces]
    left = minus(whole, taken)
    assert minutes(left) == [m for m in range(10, 40) if m not in set(minutes(taken))]
    assert all(a.end < b.start for a, b in pairwise(left))
    assert all(span.start < span.end for span in left)


def settings(**more: str) -> Settings:
    return Settings.model_validate({"DATABASE_URL": "postgresql://unused", **more})


def test_symbols_have_chains_of_their_own_in_any_spelling():
    assert settings(providers_of=" VIX = massive,Yahoo ; BTC/USD=alpaca;").own_chains == {
        "VIX": ("massive", "yahoo"),
        "BTCUSD": ("alpaca",),
    }
    assert settings().own_chains == {}
    assert set(KNOWN) == set(offers(settings(), FixedClock(NOW)))


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("VIX", "names no provider"),
        ("VIX=,", "names no provider"),
        ("=yahoo", "symbol '' is not a ticker"),
        ("S&P=yahoo", "symbol 'S&P' is not a ticker"),
        ("VIX=massive,oracle", "'oracle' is not known: use alpaca, massive, yahoo, simulated, iex"),
        ("SPY=yahoo:QQQ=yahoo", "'yahoo:qqq=yahoo' is not known"),
        ("X:BTCUSD=massive", "BTCUSD has a chain already"),
    ],
)
def test_a_chain_that_cannot_be_used_is_named_at_the_start(part, why):
    with pytest.raises(ValueError, match="BARSMITH_PROVIDERS_OF cannot be used at") as refused:
        settings(providers_of=f"BTC/USD=alpaca; {part}; EDGE=yahoo")
    assert f"at {part!r}: " in str(refused.value)
    assert why in str(refused.value)


def test_the_stream_brings_only_symbols_whose_chain_asks_its_provider():
    mixed = settings(providers="massive", providers_of="SPY=yahoo,simulated; VIX=simulated; BTC/USD=simulated")
    assert [symbol for symbol in ("SPY", "QQQ", "VIX", "BTCUSD") if is_streamed(mixed, symbol)] == ["SPY"]
    plain = settings(providers_of="SPY=yahoo")
    assert [symbol for symbol in ("SPY", "QQQ", "VIX") if is_streamed(plain, symbol)] == ["QQQ"]


def test_the_exchange_tells_the_time_only_where_every_chain_is_the_exchange():
    clock = FixedClock(NOW)
    assert isinstance(provider_clock(settings(providers_of="VIX=massive"), clock), MachineClock)
    with pytest.raises(Unavailable, match="does not tell the time"):
        provider_clock(settings(providers_of="VIX=simulated", ALPACA_API_BASE_URL="http://127.0.0.1:9"), clock)


@pytest.mark.parametrize(
    ("status", "error"), [(401, Refused), (400, InvalidInput), (404, NotOffered), (500, Unavailable)]
)
def test_a_key_that_a_provider_repeats_is_not_repeated_by_us(status, error):
    provider = Provider(reply(status, "the key SEKRET123 is unknown"))
    provider.patience.secrets = ("", "SEKRET123")
    with pytest.raises(error, match=r"key \*\*\* is unknown") as told:
        provider.ask()
    assert "SEKRET123" not in str(told.value) + repr(provider.patience)
    with pytest.raises(error) as again:
        provider.ask()
    assert "SEKRET123" not in str(again.value)


def test_who_fell_silent_is_asked_last_by_the_jobs_that_follow():
    clock = FixedClock(NOW)
    known = {name: Offer(open=lambda name=name: SimpleNamespace(name=name)) for name in "ab"}
    providers = Providers(known, "ab", clock)
    line = providers.line(None, "VIX")
    assert line.names == ("a", "b")
    line.fell_silent("a")
    assert providers.line(None, "VIX").names == ("b", "a")
    assert providers.line("a", "VIX").names == ("a",), "who is named alone is asked all the same"
    clock.advance(timedelta(seconds=ASKED_LAST_S))
    assert providers.line(None, "VIX").names == ("a", "b")
