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
        typed |= {"hold_bars": "0, 15", "z_filter": "off", "volatility": "off"}
        both = http.post("/batches", data={**typed, "top": "2"}, headers=PAGE)
        assert both.status_code == 422
        assert "one of the two" in both.text
        typos = {"thresholds": "inf", "hold_bars": "-1", "end": "9999-12-31", "more": "stop_loss 1", "trials": "0"}
        for field, typo in (("thresholds", "-1"), *typos.items()):
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
        assert "hold bars" in shown
        assert shown.count('<td class="t">QQQ</td>') == 4 + 1, "four trials and the member"
        assert f"batch={name}" in shown, "the CSV has the page's filters"
        assert "Median Sharpe by" in shown
        assert "Which parameters decide" in shown
        chosen = http.get(f"/batches/{name}?show=sharpe&show=exposure&heat_rows=hold_bars", headers=PAGE).text
        board = chosen.split('id="leaderboard"')[1]
        assert ("exposure" in board, "drawdown" in board) == (True, False), "the columns that were asked for"
        assert "8 / 8" in http.get("/", headers=PAGE).text
        assert "Best of 8 trials" in http.get("/leaderboard", headers=PAGE).text
        other = http.post("/batches", data={**typed, "thresholds": "0.0007"}, headers=PAGE).headers["location"]
        assert ">Stop<" in http.get(other, headers=PAGE).text
        assert http.post(f"{other}/cancel", data={"idempotency_key": "once"}, headers=PAGE).headers["location"] == other
        assert "cancelled" in http.get(other, headers=PAGE).text
