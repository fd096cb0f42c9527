"""The leaderboard over HTTP: filters, order, columns, flags, and which rows can be compared."""

from __future__ import annotations

import csv
import io

from optimization_support import GOOD, work

from optimization_service.app import create_app
from shared.testing.servers import serving


def test_filters_order_and_columns_are_the_servers_and_unknown_ones_are_refused(service, settings):
    with serving(create_app(settings)) as http:
        axes = {"threshold": [0.0001, 0.0004, 0.0012], "z_limit": [None, 2.0], "side": ["long_flat", "long_short"]}
        name = http.post("/batches", json={"models": [GOOD], "axes": axes}).json()["batch"]
        work(service, settings)

        def rows(**params):
            answer = http.get("/leaderboard", params={"batch": name, **params})
            assert answer.status_code == 200, answer.text
            assert answer.json()["total"] == len(answer.json()["items"])
            return answer.json()["items"]

        every = rows()
        assert len(every) == 12
        assert {row["z_limit"] for row in rows(z_limit="null")} == {None}
        assert len(rows(z_limit="2")) == len(rows(side="long_short")) == 6
        assert len(rows(side="long_short", z_limit="2", threshold="1e-4")) == 1
        most = sorted(row["trades"] for row in every)[6]
        assert all(row["trades"] >= most for row in rows(min_trades=most))
        assert len(rows(min_trades=most, max_trades=most)) == sum(row["trades"] == most for row in every)
        assert [row["side"] for row in rows(sort="side")] == ["long_flat"] * 6 + ["long_short"] * 6
        undefined = [row["sortino"] for row in rows(sort="-sortino")]
        assert undefined == sorted((v for v in undefined if v is not None), reverse=True) + [None] * undefined.count(
            None
        )
        chosen = http.get(
            "/leaderboard.csv", params={"batch": name, "show": "threshold,sharpe", "min_trades": most}
        ).text
        assert chosen.splitlines()[0] == "run,threshold,sharpe"
        assert len(chosen.splitlines()) == 1 + len(rows(min_trades=most))
        for params, words in (
            ({"beauty": "1"}, "no filter 'beauty'"),
            ({"sort": "beauty"}, "cannot sort by 'beauty'"),
            ({"show": "beauty"}, "no column 'beauty'"),
            ({"min_trades": "many"}, "give a number"),
            ({"min_sharpe": "inf"}, "finite"),
            ({"min_side": "1"}, "no filter"),
            ({"side": "sideways"}, "side is 'sideways'"),
        ):
            answer = http.get("/leaderboard", params=params)
            assert answer.status_code == 400, params
            assert words in answer.json()["detail"], answer.text
        assert http.get("/leaderboard", params={"batch": name, "page": 9}).json()["total"] == 12


def test_trials_of_other_days_or_costs_are_told_apart(service, settings):
    with serving(create_app(settings)) as http:
        asked = {"models": [GOOD], "axes": {"threshold": [0.0001, 0.0005]}}
        free = {"fee_per_fill": 0, "half_spread_bps": 0}
        for more in ({}, {"costs": free}, {"end": "2024-03-13T00:00:00Z", "costs": {"fee_per_share": 0.01}}):
            assert http.post("/batches", json={**asked, **more}).status_code == 202
        # the same terms, in other words: the last bar of the last day instead of the day's end
        named = http.post("/batches", json={**asked, "symbols": ["QQQ"], "end": "2024-03-16T00:00:00Z"}).json()["batch"]
        work(service, settings)
        found = http.get("/leaderboard").json()
        assert found["total"] == 8
        assert [(one["first_day"], one["last_day"], one["costs"], one["trials"]) for one in found["groups"]] == [
            ("2024-03-09", "2024-03-15", {"fee_per_fill": 0.02, "half_spread_bps": 0.5}, 4),
            ("2024-03-09", "2024-03-12", {"fee_per_fill": 0.02, "fee_per_share": 0.01, "half_spread_bps": 0.5}, 2),
            ("2024-03-09", "2024-03-15", {}, 2),
        ]
        usual, short, unpaid = (one["terms"] for one in found["groups"])
        rows = http.get("/leaderboard", params={"terms": short}).json()["items"]
        assert {(row["end"], row["costs"]["fee_per_share"], row["starting_cash"]) for row in rows} == {
            ("2024-03-13T00:00:00Z", 0.01, 100_000)
        }
        assert [one["trials"] for one in http.get("/leaderboard", params={"batch": named}).json()["groups"]] == [2]
        lines = list(csv.DictReader(io.StringIO(http.get("/leaderboard.csv", params={"terms": unpaid}).text)))
        assert [(line["start"][:10], line["end"][:10], line["costs"]) for line in lines] == [
            ("2024-03-09", "2024-03-15", "{}")
        ] * 2

        def page(**params):
            text = http.get("/leaderboard", params=params, headers={"Accept": "text/html"}).text
            return text, text.count('name="check"') + text.count("data-check value")

        shown, count = page()
        assert count == 4, "only what can be compared, until somebody asks for all"
        assert "ranked together" not in shown
        assert "Best of 4 trials" in shown, "and luck is measured among the same"
        assert f"terms={usual}" in shown.split('href="/leaderboard.csv')[1].split('"')[0], "so has the CSV"
        assert "2024-03-09 to 2024-03-12, 0.02 a fill, 0.01 a share, 0.5 bp half spread" in shown
        mixed, count = page(terms="all")
        assert (count, "3 different windows and costs are ranked together" in mixed) == (8, True)


def test_trades_are_flagged_and_filtered(service, settings):
    with serving(create_app(settings)) as http:
        axes = {"threshold": [0.0001, 0.0009, 0.0012]}
        name = http.post("/batches", json={"models": [GOOD], "axes": axes}).json()["batch"]
        work(service, settings)
        rows = http.get("/leaderboard", params={"batch": name}).json()["items"]
        assert "lucky?" in {row["flag"] for row in rows}
        assert all((row["flag"] == "lucky?") == (row["trades"] < 10) for row in rows)
        left = http.get("/leaderboard", params={"batch": name, "min_trades": 10}).json()
        assert left["total"] == sum(row["trades"] >= 10 for row in rows)
