"""A misspelt query parameter of the optimization service is refused, and the answer names the known ones."""

from __future__ import annotations

from optimization_service.app import create_app
from shared.testing.servers import serving

MISSPELT = [
    ("GET", "/batches?pages=2", "pages", "page, per_page"),
    ("GET", "/batches/a/heatmap?row=threshold", "row", "rows"),
]


def test_a_misspelt_parameter_is_refused_and_the_known_ones_are_told(settings):
    with serving(create_app(settings)) as http:
        for method, path, wrong, known in MISSPELT:
            answer = http.request(method, path)
            detail = answer.json()["detail"]
            assert answer.status_code == 422, (path, answer.text)
            assert f"{wrong}: is not known here: there are" in detail, (path, detail)
            assert known in detail.partition("there are")[2], (path, detail)
