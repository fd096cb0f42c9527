"""Pages, tear sheet and comparison over HTTP, and that they say what the API says."""

from __future__ import annotations

import re

import pytest
from simulation_support import END, GRID, MIDDLE, MODEL, PAGE, complete, simulate, sweep_of

from shared.contracts.messages import Costs, Setting
from shared.testing.servers import serving
from simulation_service.app import create_app


def test_the_run_page_shows_months_heatmap_stress_and_what_it_assumes(service, settings):
    name = simulate(service, settings, sweep_of())["fingerprint"]
    with serving(create_app(settings)) as http:
        page = http.get(f"/runs/{name}-4", headers=PAGE).text
        assert "Return by month" in page
        assert "No regime is known" in page
        assert "Stress this run" in page
        assert "Run again with changes" in page
        started = http.post(f"/runs/{name}-4/stress", data={"draws": "50", "seed": "3"}, headers=PAGE)
        assert started.status_code == 303
        place = started.headers["location"].removesuffix("#stress")
        job = int(place.rpartition("job=")[2])
        assert f'data-job="{job}"' in http.get(place, headers=PAGE).text
        assert "data-job=" not in http.get(f"/runs/{name}-3?job={job}", headers=PAGE).text, "another run's"
        complete(service, settings, job)
        page = http.get(f"/runs/{name}-4", headers=PAGE).text
        assert "costs x 2" in page
        assert "50 draws (seed 3)" in page
        months = http.get(f"/runs/{name}-4/months").json()
        grown = 1.0
        for month in months:
            grown *= 1 + month["return"]
        run = http.get(f"/runs/{name}-4").json()
        assert grown - 1 == pytest.approx(run["metrics"]["total_return"])
        assert sum(month["trades"] for month in months) == run["metrics"]["trades"]


def test_the_tear_sheet_refers_to_nothing_outside_itself_and_says_the_stored_figures(service, settings):
    name = simulate(service, settings, sweep_of())["fingerprint"]
    job = service.stress.submit(f"{name}-4", draws=50, seed=3)
    complete(service, settings, job)
    with serving(create_app(settings)) as http:
        answer = http.get(f"/runs/{name}-4/tearsheet")
        assert answer.headers["content-type"].startswith("text/html")
        sheet = answer.text
        assert not re.findall(r"""(?:src|href|action|srcset|data-url)\s*=|url\(|@import|<script|<link|//\w""", sheet)
        assert sheet.count("<svg") >= 4
        run = http.get(f"/runs/{name}-4").json()
        assert f"{run['metrics']['sharpe']:.2f}".replace("-", "−") in sheet
        assert run["id"] in sheet
        assert "50 draws (seed 3)" in sheet
        assert not re.search(r"\bnan\b|None|undefined", sheet)
        assert http.get(f"/runs/{MODEL}-0/tearsheet").status_code == 404


def test_runs_that_paid_nothing_say_so_on_every_page_and_those_that_paid_do_not(service, settings):
    traded = (Setting(threshold=0),)
    free = simulate(service, settings, sweep_of(settings=traded, costs=Costs(fee_per_fill=0, half_spread_bps=0)))
    paid = simulate(service, settings, sweep_of(settings=traded))
    with serving(create_app(settings)) as http:
        listed = http.get("/runs", headers=PAGE).text
        assert listed.count(">no costs<") == 1
        assert listed.count(f"{MIDDLE.date()} to {END.date()}") == 2
        assert listed.count('<td class="t">0.02 a fill, 0.5 bp half spread</td>') == 1
        assert "ranked together" not in listed, "by age nothing is ranked"
        assert "2 different windows and costs are ranked together" in http.get("/runs?sort=-sharpe", headers=PAGE).text
        alike = http.get("/runs", params={"sort": "-sharpe", "sweep": free["fingerprint"]}, headers=PAGE).text
        assert "ranked together" not in alike
        assert [run["costs"]["half_spread_bps"] for run in http.get("/runs").json()["items"]] == [0.5, 0.0]
        assert "half_spread_bps" in http.get("/runs.csv").text.splitlines()[0]
        for found, labelled in ((free, True), (paid, False)):
            run = f"/runs/{found['fingerprint']}-0"
            assert (">no costs<" in http.get(run, headers=PAGE).text) is labelled
            assert ("No costs: nothing was paid" in http.get(f"{run}/tearsheet").text) is labelled


def test_runs_are_compared(service, settings):
    name = simulate(service, settings, sweep_of())["fingerprint"]
    other = simulate(service, settings, sweep_of(settings=(Setting(threshold=0.9),)))["fingerprint"]
    ids = [f"{name}-0", f"{name}-1", f"{other}-0"]
    with serving(create_app(settings)) as http:
        found = http.get("/compare", params={"run": ids}).json()
        assert found == http.get("/compare", params={"ids": ",".join(ids)}).json()
        assert found["runs"] == ids
        figures = {one["name"]: one for one in found["figures"]}
        values = [http.get(f"/runs/{one}").json()["metrics"] for one in ids]
        assert figures["sharpe"]["values"] == [one["sharpe"] for one in values]
        gap = values[1]["total_return"] - values[0]["total_return"]
        assert figures["total_return"]["differences"][:2] == [0.0, gap]
        assert {one["name"] for one in found["parameters"]} == {"threshold", "side", "fill"}
        overlap = found["overlap"]
        assert overlap[0][0] == 1.0
        assert 0 < overlap[0][1] == overlap[1][0] < 1
        assert overlap[0][2] == 0.0, "the third never held anything"
        assert found["correlation"][0][2] is None
        grown = http.get("/compare/growth", params={"run": ids}).json()
        assert grown["run_0"][-1] - 1 == pytest.approx(values[0]["total_return"])
        assert len(grown["time"]) == 5
        page = http.get("/compare", params={"ids": ",".join(ids)}, headers=PAGE).text
        assert "Parameters that differ" in page
        assert "Nothing to compare yet" in http.get("/compare", headers=PAGE).text
        alone = http.get("/compare", params={"run": ids[:1]})
        assert (alone.status_code, "1 runs to compare" in alone.json()["detail"]) == (400, True)


def test_a_sweep_is_seen_along_any_two_of_its_parameters(service, settings):
    name = simulate(service, settings, sweep_of())["fingerprint"]
    with serving(create_app(settings)) as http:
        page = http.get(
            f"/sweeps/{name}", params={"x": "side", "y": "hold_bars", "figure": "trades"}, headers=PAGE
        ).text
        assert "Trades by hold bars and side" in page
        assert "long short" in page
        wrong = http.get(f"/sweeps/{name}", params={"x": "beauty"}, headers=PAGE)
        assert wrong.status_code == 400
        assert "is neither a parameter nor a figure" in wrong.text


def test_runs_are_filtered_and_sorted_by_any_parameter_or_figure(service, settings):
    simulate(service, settings, sweep_of())
    with serving(create_app(settings)) as http:

        def listed(**params):
            return [run["index"] for run in http.get("/runs", params=params).json()["items"]]

        assert len(listed(min_trades=1)) == len(GRID)
        assert len(listed(min_trades="", evidence="", min_sharpe="")) == len(GRID), "as a form sends what is empty"
        filtered = http.get("/runs?evidence=folds&min_trades=&min_sharpe=1.5", headers=PAGE).text
        assert "No run matches" in filtered
        assert 'value="1.5"' in filtered
        assert listed(evidence="folds") == []
        assert listed(min_sharpe=1e6) == []
        by_side = [GRID[index].side for index in listed(sort="side")]
        assert by_side == sorted(by_side)
        assert http.get("/runs", params={"sort": "regime_states"}).status_code == 400
        assert http.get("/runs", params={"evidence": "hearsay"}).status_code == 422


@pytest.mark.usefixtures("service")
def test_a_file_is_brought_by_the_form_and_by_curl(settings):
    content = b"ts,prediction\n" + b"".join(
        f"2024-03-11T{14 + i // 60:02d}:{i % 60:02d}:00Z,{0.001 * (-1) ** i}\n".encode() for i in range(30, 300)
    )
    with serving(create_app(settings)) as http:
        files = {"file": ("mine.csv", content, "text/csv")}
        sent = http.post("/signals", data={"symbol": "spy"}, files=files, headers=PAGE)
        assert sent.status_code == 303, sent.text
        page = http.get(sent.headers["location"], headers=PAGE).text
        assert "mine.csv · SPY" in page
        assert "Not simulated yet" in page
        assert "mine.csv" in http.get("/signals", headers=PAGE).text
        curled = http.post("/signals", data={"symbol": "spy"}, files=files)
        assert curled.status_code == 201
        assert curled.json()["fingerprint"] == sent.headers["location"].rsplit("/", 1)[1]
        wrong = http.post("/signals", data={"symbol": "spy"}, files={"file": ("a", b"x,y\n1,2\n")}, headers=PAGE)
        assert wrong.status_code == 422
        assert "this file has x, y" in wrong.text
        assert 'value="spy"' in wrong.text
        typed = {"model": curled.json()["fingerprint"], "symbol": "SPY", "thresholds": "0.0005", "hold_bars": "5"}
        days = {"start": MIDDLE.date().isoformat(), "end": END.date().isoformat()}
        answer = http.post("/simulate", data={**typed, **days, "z_limit": "x"}, headers=PAGE)
        assert answer.status_code == 422
        unknown = http.post("/simulate", data={**typed, **days, "regime": "calm"}, headers=PAGE)
        assert "regime and regime_states go together" in unknown.text
        assert http.post("/simulate", data={**typed, **days}, headers=PAGE).status_code == 303
        refused = http.post("/signals", data={"symbol": "spy"}, files={"file": ("a", b"x,y\n1,2\n")})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_input")


def test_the_form_without_a_model_takes_every_model_of_the_symbol(service, settings):
    typed = {"symbol": "SPY", "start": MIDDLE.date().isoformat(), "end": END.date().isoformat(), "hold_bars": "5"}
    with serving(create_app(settings)) as http:
        answer = http.post("/simulate", data=typed, headers=PAGE)
        assert answer.status_code == 303, answer.text
        complete(service, settings, int(answer.headers["location"].rsplit("/", 1)[1]))
        assert http.get("/runs").json()["items"][0]["model"] == MODEL
        nobody = http.post("/simulate", data={**typed, "symbol": "QQQ"}, headers=PAGE)
        assert "no model has predictions for QQQ" in nobody.text
