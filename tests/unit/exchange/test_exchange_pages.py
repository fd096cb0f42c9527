"""Pages: whatever the page size, the same bars in the same order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from simulated_exchange.faults import Faults
from simulated_exchange.limits import Gate, Refused
from simulated_exchange.market import Market
from simulated_exchange.pages import Query, page
from simulated_exchange.settings import ExchangeSettings

MARKET = Market()
START, END = datetime(2024, 11, 27, tzinfo=UTC), datetime(2024, 11, 29, 15, 0, tzinfo=UTC)


def walk(limit: int, *, newest_first: bool = False) -> list[tuple[str, str]]:
    query = Query(symbols=("QMKT", "EDGE", "NOPE"), start=START, end=END, limit=limit, newest_first=newest_first)
    seen, token = [], None
    while True:
        bars, token = page(MARKET, query, token)
        rows = [(symbol, bar["t"]) for symbol, text in bars.items() for bar in json.loads(text)]
        assert 0 < len(rows) <= limit
        seen += rows
        if token is None:
            return seen


@pytest.mark.parametrize("limit", [1, 7, 390, 391, 1_000])
def test_any_page_size_gives_every_bar_once_by_symbol_then_time(limit):
    seen = walk(limit)
    assert seen == sorted(set(seen))
    assert len(seen) == 2 * (390 + 31)  # the end is inclusive


def test_newest_first_is_the_reverse():
    assert walk(100, newest_first=True) == walk(100)[::-1]


def test_the_gate_counts_refuses_and_storms():
    gate = Gate(ExchangeSettings(rate_limit=4, rate_window_seconds=3_600, storm_every=2, storm_length=1))
    keys = ("simulated", "simulated-secret")
    assert gate.admit(*keys)["X-RateLimit-Remaining"] == "3"
    with pytest.raises(Refused) as stormed:
        gate.admit(*keys)
    assert (stormed.value.status, stormed.value.headers["Retry-After"]) == (429, "0")
    gate.admit(*keys)
    with pytest.raises(Refused):
        gate.admit(*keys)
    with pytest.raises(Refused) as limited:
        gate.admit(*keys)
    assert (limited.value.status, limited.value.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert "Retry-After" not in limited.value.headers
    for bad, status in (((None, None), 401), (("simulated", "wrong"), 403)):
        with pytest.raises(Refused) as refused:
            gate.admit(*bad)
        assert refused.value.status == status


def test_a_forged_token_is_refused():
    query = Query(symbols=("EDGE",), start=START, end=END, limit=10)
    with pytest.raises(Refused, match="invalid page_token"):
        page(MARKET, query, "bm9uc2Vuc2U=")


def test_spoiled_pages_still_tell_the_truth_last():
    faults = Faults(ExchangeSettings(duplicate_every=2, shuffle_every=3, revise_every=4))
    query = Query(symbols=("EDGE",), start=START, end=END, limit=50)
    last_word, sent, token = {}, 0, None
    while True:
        found = page(MARKET, query, faults.true_token(token))
        bars, token = faults.spoil(*found, token)
        for bar in json.loads(bars["EDGE"]):
            last_word[bar["t"]] = bar
            sent += 1
        if token is None:
            break
    truth = json.loads(page(MARKET, Query(symbols=("EDGE",), start=START, end=END, limit=10_000), None)[0]["EDGE"])
    assert [last_word[bar["t"]] for bar in truth] == truth
    assert len(last_word) == len(truth)
    assert sent > len(truth) + 8 * faults.spoiled["revise"]
    assert all(faults.spoiled[kind] >= 2 for kind in ("duplicate", "shuffle", "revise"))
