"""The pages as a browser asks for them."""

from __future__ import annotations

from optimization_support import GOOD, work

from optimization_service.app import create_app
from shared.testing.servers import serving

PAGE = {"Accept": "text/html"}


def test_pages_from_the_form_to_the_leaderboard(service, settings):
    with serving(create_app(settings)) as http:
        assert "No batch yet" in http.get("/", headers=PAGE).text
        assert "No trials" in http.get("/leaderboard", headers=PAGE).text
        typed = {"models": GOOD, "symbols": "SPY, QQQ", "thresholds": "0.0001 0.0005", "top": "0"}
        both = http.post("/batches", data={**typed, "top": "2"}, headers=PAGE)
        assert both.status_code == 422
        assert "one of the two" in both.text
        for field, typo in (("thresholds", "-1"), ("thresholds", "inf"), ("hold_bars", "-1"), ("end", "9999-12-31")):
            assert http.post("/batches", data={**typed, field: typo}, headers=PAGE).status_code == 422, (field, typo)
        unknown = http.post("/batches", data={**typed, "symbols": "NONE"}, headers=PAGE)
        assert "there are no bars of NONE" in unknown.text
        answer = http.post("/batches", data=typed, headers=PAGE)
        assert answer.status_code == 303, answer.text
        name = answer.headers["location"].rsplit("/", 1)[1]
        waiting = http.get(f"/batches/{name}", headers=PAGE).text
        assert "none with a Sharpe ratio yet" in waiting
        work(service, settings)
        shown = http.get(f"/batches/{name}?sort=-trades&symbol=qqq", headers=PAGE).text
        assert "Best of 8 trials" in shown
        assert "Luck alone would show about" in shown
        assert "hold" in shown
        assert shown.count('<td class="t">QQQ</td>') == 4 + 1, "four trials and the member"
        assert f"batch={name}" in shown, "the CSV has the page's filters"
        assert "2 / 2" in http.get("/", headers=PAGE).text
        assert "Best of 8 trials" in http.get("/leaderboard", headers=PAGE).text
