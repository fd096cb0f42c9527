"""A misspelt query parameter of the feature service is refused, and the answer names the known ones."""

from __future__ import annotations

from feature_service.app import create_app
from shared.testing.servers import serving

MISSPELT = [
    ("GET", "/sets/core/statistics?symbol=SPY&horizn=30", "horizn", "horizon, list, sort, symbol"),
    ("GET", "/folds/SPY?test_day=5", "test_day", "test_days"),
    ("GET", "/folds/SPY/0?formt=csv", "formt", "format"),
    ("GET", "/features/SPY?strat=2024-01-01", "strat", "start"),
    ("GET", "/features/SPY/chart?column=ibs&start=2024-01-01", "start", "from"),
    ("GET", "/coverage?symbl=SPY", "symbl", "symbol"),
    ("GET", "/builds/counts?sicne=2024-01-01", "sicne", "since"),
    ("GET", "/symbols?option=rolling_20_5", "option", "options"),
    ("POST", "/leak-check/ibs?symbol=SPY&symbols=QQQ", "symbols", "symbol"),
]


def test_a_misspelt_parameter_is_refused_and_the_known_ones_are_told(settings):
    with serving(create_app(settings)) as http:
        for method, path, wrong, known in MISSPELT:
            answer = http.request(method, path)
            detail = answer.json()["detail"]
            assert answer.status_code == 422, (path, answer.text)
            assert f"{wrong}: is not known here: there are" in detail, (path, detail)
            assert known in detail.partition("there are")[2], (path, detail)
