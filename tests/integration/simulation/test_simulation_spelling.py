"""A misspelt query parameter of the simulation service is refused, and the answer names the known ones."""

from __future__ import annotations

from shared.testing.servers import serving
from simulation_service.app import create_app

MISSPELT = [
    ("GET", "/runs?min_trade=10", "min_trade", "min_trades"),
    ("GET", "/runs.csv?page=2", "page", "sort"),
    ("GET", "/sweeps?symbl=SPY", "symbl", "symbol"),
    ("GET", "/compare?runs=a", "runs", "ids, list, run"),
    ("GET", "/runs/a-0/candles?start=2024-01-01", "start", "from"),
    ("GET", "/signals/a/rows?kind=csv", "kind", "format"),
]


def test_a_misspelt_parameter_is_refused_and_the_known_ones_are_told(settings):
    with serving(create_app(settings)) as http:
        for method, path, wrong, known in MISSPELT:
            answer = http.request(method, path)
            detail = answer.json()["detail"]
            assert answer.status_code == 422, (path, answer.text)
            assert f"{wrong}: is not known here: there are" in detail, (path, detail)
            assert known in detail.partition("there are")[2], (path, detail)
