"""Splits, dividends and renames, as Alpaca, Massive and Yahoo tell them through their own clients."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from market_clients import CLOCK, alpaca
from wire_servers import Wire, alpaca_crypto, massive, yahoo

from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.store.patience import Patience
from shared.contracts.datasets import CORPORATE_ACTIONS
from shared.testing.servers import serving

# AAPL's own: 7 for 1 in June 2014, 4 for 1 in August 2020. Yahoo gives dividends as if all splits had always been.
PAID = [
    ("dividend", date(2014, 5, 8), 3.29),
    ("split", date(2014, 6, 9), 7.0),
    ("dividend", date(2014, 8, 7), 0.47),
    ("split", date(2020, 8, 31), 4.0),
]


def at_open(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC).timestamp())


def alpaca_actions() -> list[tuple[str, dict[str, object]]]:
    common = {"symbol": "AAPL", "cusip": "037833100"}
    rows: list[tuple[str, dict[str, object]]] = []
    for kind, day, value in PAID:
        dated = {**common, "ex_date": day.isoformat(), "process_date": day.isoformat()}
        if kind == "split":
            rows.append(("forward_split", {**dated, "new_rate": value, "old_rate": 1}))
        else:
            rows.append(("cash_dividend", {**dated, "rate": value, "special": False, "foreign": False}))
    renamed = {"old_symbol": "APPL", "new_symbol": "AAPL", "process_date": "2013-01-02"}
    return [*rows, ("name_change", renamed), ("spin_off", {"process_date": "2013-01-02"})]


def yahoo_actions() -> dict[str, dict[str, dict[str, object]]]:
    dividends = {str(at_open(PAID[0][1])): 3.29 / 28, str(at_open(PAID[2][1])): 0.47 / 4}
    return {
        "dividends": {at: {"amount": round(paid, 6), "date": int(at)} for at, paid in dividends.items()},
        "splits": {
            str(at_open(day)): {
                "date": at_open(day),
                "numerator": ratio,
                "denominator": 1.0,
                "splitRatio": f"{ratio}:1",
            }
            for kind, day, ratio in PAID
            if kind == "split"
        },
    }


def massive_actions() -> dict[str, list[dict[str, object]]]:
    splits = [
        {"ticker": "AAPL", "execution_date": day.isoformat(), "split_from": 1, "split_to": ratio, "id": day.isoformat()}
        for kind, day, ratio in PAID
        if kind == "split"
    ]
    dividends = [
        {"ticker": "AAPL", "ex_dividend_date": day.isoformat(), "cash_amount": cash, "currency": "USD"}
        for kind, day, cash in PAID
        if kind == "dividend"
    ]
    return {"splits": splits, "dividends": dividends}


@pytest.mark.parametrize("name", ["alpaca", "massive", "yahoo"])
def test_actions_come_as_they_were_paid_and_split(name, tmp_path):
    days = pl.DataFrame(
        {
            "ts": [datetime.fromtimestamp(at_open(day), UTC) for _, day, _ in PAID],
            **dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0),
        },
        schema_overrides=RAW_SCHEMA,
    )
    start, end = date(2014, 1, 1), date(2015, 1, 1)
    if name == "alpaca":
        wire = Wire({}, actions={"AAPL": alpaca_actions()})
        with serving(alpaca_crypto(wire)) as http:
            source = alpaca(str(http.base_url))
            found, renamed = source.actions("AAPL", start, end), source.actions("AAPL", date(2013, 1, 1), start)
        assert renamed.select("kind", "former").rows() == [("rename", "APPL")]
    elif name == "massive":
        from ingestion_service.store.massive import MassiveSource

        wire = Wire({}, actions={"AAPL": massive_actions()})
        with serving(massive(wire)) as http:
            patience = Patience(str(http.base_url), "MASSIVE_API_KEY", CLOCK)
            source = MassiveSource(base_url=str(http.base_url), api_key="the-key", patience=patience)
            found = source.actions("AAPL", start, end)
            assert source.actions("NOPE", start, end).is_empty()
        assert len(wire.asked) == 5  # splits, two pages of dividends, and nothing twice
    else:
        from ingestion_service.store.yahoo import YahooSource

        wire = Wire({"AAPL": pl.concat([days[row] for row in range(4)])}, actions={"AAPL": yahoo_actions()})
        with serving(yahoo(wire, CLOCK.now)) as http:
            patience = Patience(str(http.base_url), "the connection", CLOCK)
            source = YahooSource(base_url=str(http.base_url), cache=tmp_path, clock=CLOCK, patience=patience)
            found = source.actions("AAPL", start, end)
    assert found.schema == CORPORATE_ACTIONS.schema
    assert found.select("kind", "ex_date").rows() == [(kind, day) for kind, day, _ in PAID[:3]]
    assert found["value"].to_list() == pytest.approx([value for _, _, value in PAID[:3]], abs=2e-5)
    assert set(found["source"]) == {source.name}
    assert source.drift() == []
