"""What doctor says of the settings for market data."""

import pytest

from barsmith.doctor.finding import Verdict
from barsmith.doctor.market_data import check_market_data

NAMES = ("ALPACA_API_BASE_URL", "ALPACA_KEY_ID", "ALPACA_API_KEY_ID", "ALPACA_SECRET_KEY", "ALPACA_API_SECRET_KEY")
OTHERS = (
    "MASSIVE_API_KEY",
    "POLYGON_API_KEY",
    "IEX_TOKEN",
    "BARSMITH_PROVIDERS",
    "BARSMITH_PROVIDERS_OF",
    "ALPACA_FEED",
)
ALPACA = {"ALPACA_API_BASE_URL": "https://paper-api.alpaca.markets"}
KEYS = {"ALPACA_API_KEY_ID": "AK-hush", "ALPACA_API_SECRET_KEY": "SK-hush"}


@pytest.mark.parametrize(
    ("environment", "seen", "remedies"),
    [
        ({}, "asked in this order: simulated", []),
        (KEYS, "asked in this order: simulated", ["set ALPACA_API_BASE_URL=https://data.alpaca.markets"]),
        (ALPACA, "asked in this order: alpaca, massive, yahoo", ["alpaca (set ALPACA_KEY_ID", "massive (set MASSIVE"]),
        (ALPACA | KEYS | {"POLYGON_API_KEY": "PK-hush"}, "asked in this order: alpaca, massive, yahoo", []),
        ({"BARSMITH_PROVIDERS": "Yahoo"}, "asked in this order: yahoo", []),
        ({"BARSMITH_PROVIDERS": "yahoo, bloomberg"}, "provider 'bloomberg' is not known: use alpaca", ["corrected"]),
        ({"BARSMITH_PROVIDERS_OF": "VIX=yahoo"}, "asked in this order: simulated; VIX: yahoo", []),
        ({"BARSMITH_PROVIDERS_OF": "VIX=massive"}, "VIX: massive", ["massive (set MASSIVE"]),
        ({"BARSMITH_PROVIDERS_OF": "VIX=oracle"}, "'VIX=oracle': provider 'oracle' is not known", ["corrected"]),
        (
            {"ALPACA_FEED": "foo"},
            "asked in this order: simulated",
            ["ALPACA_FEED='foo' is not a feed: use one of iex, sip"],
        ),
        ({"IEX_TOKEN": "T-hush"}, "IEX_TOKEN is set", ["ALPACA_FEED=iex"]),
    ],
)
def test_doctor_says_who_is_asked_and_what_is_missing(monkeypatch, environment, seen, remedies):
    for name in (*NAMES, *OTHERS):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    findings = list(check_market_data(0))
    assert any(seen in finding.seen for finding in findings)
    said = " ".join(finding.remedy for finding in findings)
    assert all(remedy in said for remedy in remedies)
    assert any(finding.verdict is not Verdict.OK for finding in findings) == bool(remedies)
    assert "hush" not in str(findings)
