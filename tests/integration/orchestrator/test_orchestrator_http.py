"""The service over HTTP: what is asked, what is answered, what the pages show."""

import pytest
from orchestrator_support import house

from orchestrator_service.app import create_app
from shared.contracts.kinds import JobKind
from shared.testing.servers import serving

HTML = {"Accept": "text/html"}
BODY = {
    "key": "k1", "symbols": ["EDGE"], "select_sessions": 120, "confirm_sessions": 130, "horizons": [5, 15],
    "generations": 2, "seed": 3,
}  # fmt: skip


@pytest.fixture
def edge(database_url, data_dir, lake):
    with house(database_url, data_dir, lake, skill={"EDGE": 0.35, "FLAT": 0.0}) as made:
        yield made


@pytest.fixture
def http(edge):
    with serving(create_app(edge.settings)) as client:
        yield client


def test_a_search_over_http(edge, http):
    answer = http.post("/evolve", json=BODY)
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["runs"][0]["id"]
    assert answer.json()["link"] == f"/runs/{run_id}"
    assert http.get(f"/jobs/{answer.json()['job_id']}").json()["kind"] == JobKind.BREED
    again = http.post("/evolve", json=BODY)
    assert (again.status_code, again.json()["runs"][0]["id"]) == (200, run_id)
    other = http.post("/evolve", json={**BODY, "seed": 4})
    assert (other.status_code, other.json()["error"]) == (409, "conflict")

    running = http.get(f"/runs/{run_id}", headers=HTML)
    assert "Searching: 0 trials so far" in running.text
    edge.work()

    run = http.get(f"/runs/{run_id}").json()
    assert (run["state"], run["stage"]) == ("completed", "ended")
    assert run["funnel"]["trials"] == 84
    assert run["funnel"]["confirmed"] >= 1
    assert run["looks"]["left"] == 9
    assert [one["generation"] for one in run["progress"]] == [0, 1]
    assert "look 1 of 10" in run["sentence"]
    page = http.get("/runs").json()
    assert (page["total"], page["items"][0]["sentence"]) == (1, run["sentence"])
    assert http.get("/runs?symbol=NOPE").json()["total"] == 0

    promoted = http.get("/promoted").json()
    assert promoted["total"] == run["funnel"]["confirmed"] + 1
    blend, first = promoted["items"][:2]
    assert (blend["kind"], first["kind"]) == ("blend", "model")
    assert len(blend["record"]["members"]) == run["funnel"]["nominated"]

    child = next(model for model in run["models"] if model["parent"])
    lineage = http.get(f"/lineage/{child['fingerprint']}").json()
    assert lineage["ancestors"] == [child["parent"]]
    assert [child["parent"], child["fingerprint"]] in lineage["edges"]

    shown = http.get(f"/runs/{run_id}", headers=HTML).text
    assert run["sentence"] in shown
    assert "Luck beside the best trial" in shown
    assert "nan" not in shown.lower().replace("financ", "")
    assert shown.count('class="n"') == len(run["models"])
    for address in ("/", "/runs", "/promoted", f"/lineage/{child['fingerprint']}"):
        answer = http.get(address, headers=HTML)
        assert answer.status_code == 200, address
        assert "</html>" in answer.text
        assert ">None<" not in answer.text


BAD_REQUESTS = [
    ({"symbols": []}, 422, "symbols"),
    ({"symbols": ["EDGE", "edge"]}, 422, "name each at most once"),
    ({"symbols": ["no such thing!"]}, 422, "not a ticker"),
    ({"symbols": ["EDGE"], "surprise": 1}, 422, "surprise"),
    ({"symbols": ["EDGE"], "horizons": [0]}, 422, "1 to 389"),
    ({"symbols": ["EDGE"], "grid": {"quantiles": [1.5]}}, 422, "[0, 1)"),
    ({"symbols": ["EDGE"], "rules": {"alpha": 0.9}}, 422, "alpha"),
    ({"symbols": ["EDGE"], "start": "2024-01-01T00:00:00"}, 422, "start"),
    ({"symbols": ["GONE"]}, 404, "not built for GONE"),
    ({"symbols": ["EDGE"], "feature_set": "none"}, 404, "'none' are not built for EDGE"),
    ({"symbols": ["EDGE"], "start": "2030-01-01T00:00:00Z"}, 404, "no features"),
]


def test_bad_requests_are_explained_and_start_nothing(http):
    for body, status, says in BAD_REQUESTS:
        answer = http.post("/evolve", json=body)
        assert (answer.status_code, says in answer.json()["detail"]) == (status, True), (body, answer.text)
    assert http.get("/runs").json()["total"] == 0
    assert http.get("/jobs").json()["total"] == 0


def test_a_dead_feature_service_is_503_and_named(edge):
    dead = edge.settings.model_copy(update={"features_url": "http://127.0.0.1:9"})
    with serving(create_app(dead)) as http:
        answer = http.post("/evolve", json=BODY)
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert "features service at http://127.0.0.1:9 does not answer" in answer.json()["detail"]
        assert http.get("/runs").json()["total"] == 0
        # the key is not spent by what did not happen
        assert edge.wired.runs.page(limit=1) == ([], 0)


def test_unknown_things_are_404(http):
    for address in ("/runs/nope", "/lineage/" + "0" * 64):
        assert http.get(address).status_code == 404
        page = http.get(address, headers=HTML)
        assert (page.status_code, "Not found" in page.text) == (404, True)
    assert http.post("/runs/nope/cancel").status_code == 404


def test_a_run_is_started_and_cancelled_by_the_pages_forms(http):
    origin = {"Origin": str(http.base_url).rstrip("/"), **HTML}
    wrong = http.post("/evolve", data={"symbols": "EDGE", "horizons": "5, soon"}, headers=origin)
    assert wrong.status_code == 422
    assert 'value="5, soon"' in wrong.text
    missing = http.post("/evolve", data={"symbols": "GONE"}, headers=origin)
    assert (missing.status_code, "not built for GONE" in missing.text) == (422, True)
    two = {"symbols": "EDGE FLAT", "horizons": "5, 15", "generations": "1"}
    started = http.post("/evolve", data=two, headers=origin)
    assert (started.status_code, started.headers["location"]) == (303, "/runs")
    runs = http.get("/runs").json()["items"]
    assert {run["symbol"] for run in runs} == {"EDGE", "FLAT"}
    address = f"/runs/{runs[0]['id']}"
    cancelled = http.post(f"{address}/cancel", data={"idempotency_key": "once"}, headers=origin)
    assert (cancelled.status_code, cancelled.headers["location"]) == (303, address)
    assert http.get(address).json()["state"] == "cancelled"
    assert http.post(f"{address}/cancel").status_code == 409


def test_the_job_transport_asks_for_the_token(http):
    claim = {"kinds": ["orchestrator.breed"], "token": "11111111-1111-1111-1111-111111111111", "worker": "w"}
    assert http.post("/jobs/claim", json=claim).status_code == 401


def test_a_misspelt_parameter_is_refused_and_the_known_ones_are_told(http):
    for path, wrong, known in (("/runs?stat=failed", "stat", "state"), ("/promoted?runs=a", "runs", "run")):
        answer = http.get(path)
        assert answer.status_code == 422
        assert f"{wrong}: is not known here: there are format, page, per_page, {known}" in answer.json()["detail"]
