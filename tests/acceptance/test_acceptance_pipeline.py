"""Bars to leaderboard through the command line and the public APIs, on a short span of the simulated exchange."""

import httpx
import pytest
from running_house import running_house

SPAN = ("--start", "2022-01-01", "--end", "2022-05-01")
SEARCH = ("EDGE", "--generations", "2", "--survivors", "1", "--horizon", "15")


def take_through(house):
    """Ingest, features, evolve; return the run in full."""
    house.told("ingest", "bars", "EDGE", "QMKT", "VOLX", *SPAN)
    house.told("features", "build", "EDGE", *SPAN)
    (run,) = house.told("evolve", "start", *SEARCH)
    return run


@pytest.fixture(scope="module")
def searched(house):
    return take_through(house)


@pytest.mark.timeout(400)
def test_a_search_goes_through_and_says_what_it_found(house, searched):
    assert searched["state"] == "completed", searched["reason"]
    assert {model["estimator"] for model in searched["models"]} == {"elasticnet", "xgboost"}
    assert searched["funnel"]["trials"] > 0
    tried = [model for model in searched["models"] if model["select_metrics"]]
    assert tried
    for model in tried:
        assert len(model["fingerprint"]) == 64
        assert model["features"]
        assert house.get("training", f"/models/{model['fingerprint']}")["symbol"] == "EDGE"
        sweep = house.get("simulation", f"/sweeps/{model['sweep']}")
        assert sweep["model"] == model["fingerprint"]
        assert sweep["runs"][model["best_setting"]]["metrics"] == model["select_metrics"]


def test_a_holdout_too_short_promotes_nothing_and_says_why(house, searched):
    # 80 sessions cannot confirm anything
    assert searched["obstacle"].startswith("the holdout is too short")
    assert searched["funnel"]["confirmed"] == 0
    assert not [one for one in house.get("orchestrator", "/promoted")["items"] if one["run"] == searched["id"]]


def test_children_name_their_parents(house, searched):
    children = [model for model in searched["models"] if model["parent"]]
    for child in children:
        lineage = house.get("orchestrator", f"/lineage/{child['fingerprint']}")
        assert [child["parent"], child["fingerprint"]] in lineage["edges"]
        parent = next(model for model in searched["models"] if model["fingerprint"] == child["parent"])
        assert set(child["features"]) < set(parent["features"])


def test_the_same_search_again_is_the_same_run_and_trains_nothing(house, searched):
    before = house.get("training", "/jobs", kind="training.train")["total"]
    (again,) = house.told("evolve", "start", *SEARCH)
    assert again == searched
    assert house.get("training", "/jobs", kind="training.train")["total"] == before


def test_a_batch_fills_the_leaderboard(house, searched):
    names = [model["fingerprint"] for model in searched["models"] if model["select_metrics"]]
    window = searched["periods"]["select"]["window"]
    spans = ("--start", window["start"], "--end", window["end"])
    chosen = [argument for name in names for argument in ("--model", name)]
    batch = house.told("optimize", "batch", *chosen, *spans, "--threshold", "0", "--threshold", "0.0002")
    assert batch["state"] == "COMPLETED", batch["note"]
    rows = house.get("optimization", "/leaderboard", batch=batch["fingerprint"], sort="-sharpe")
    assert rows["total"] == batch["trials"]
    sharpes = [row["sharpe"] for row in rows["items"] if row["sharpe"] is not None]
    assert sharpes == sorted(sharpes, reverse=True)
    assert {row["model"] for row in rows["items"]} == set(names)


def test_sql_sees_what_the_services_stored(house, searched):
    assert searched["symbol"] == "EDGE"
    query = "select symbol, count(*) as n from bars_1m where symbol = 'EDGE' group by symbol"
    stored = {row["symbol"]: row["rows"] for row in house.get("ingestion", "/symbols")}
    assert house.barsmith("sql", query, "--format", "csv").stdout == f"symbol,n\nEDGE,{stored['EDGE']}\n"
    wrong = house.barsmith("sql", "select nonsense from bars_1m", code=1)
    assert "nonsense" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def asked(house, service, path, body):
    answer = httpx.post(f"{house.urls[service]}{path}", json=body, timeout=30)
    envelope = answer.json()
    assert set(envelope) == {"error", "detail", "request_id"}
    return answer.status_code, envelope["detail"]


def test_bad_requests_are_answered_in_words(house, searched):
    assert searched["symbol"] == "EDGE"
    before = house.get("orchestrator", "/runs")["total"]
    status, detail = asked(house, "orchestrator", "/evolve", {"symbols": ["NOSUCH"]})
    assert status == 404
    assert "NOSUCH" in detail
    status, _ = asked(house, "orchestrator", "/evolve", {"symbols": ["EDGE"], "generations": "many"})
    assert status == 422
    assert house.get("orchestrator", "/runs")["total"] == before


def test_a_key_stands_for_one_request(house, searched):
    assert searched["symbol"] == "EDGE"
    body = {"symbols": ["EDGE"], "generations": 2, "survivors": 1, "horizons": [15], "key": "mine"}
    first, second = (httpx.post(f"{house.urls['orchestrator']}/evolve", json=body, timeout=30).json() for _ in range(2))
    assert first["runs"] == second["runs"]
    status, detail = asked(house, "orchestrator", "/evolve", {**body, "generations": 3})
    assert status == 409
    assert "mine" in detail


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_worker_and_three_find_the_same(tmp_path_factory):
    def found(workers):
        with running_house(tmp_path_factory.mktemp(f"workers{workers}"), workers=workers) as house:
            run = take_through(house)
            facts = {"run": run["id"], "data": run["data_version"], "evidence": run["evidence"]}
            for model in run["models"]:
                sweep, best = model["sweep"], model["best_setting"]
                facts |= {f"model {model['slot']} {name}": value for name, value in model.items()}
                if sweep:
                    facts[f"trades {model['slot']}"] = house.get("simulation", f"/runs/{sweep}-{best}/trades")
                    runs = house.get("simulation", f"/sweeps/{sweep}")["runs"]
                    facts |= {f"metrics {one['id']}": one["metrics"] for one in runs}
            return facts

    alone, three = found(workers=1), found(workers=3)
    assert any(name.startswith("trades") for name in alone)
    different = {name: (value, three.get(name)) for name, value in alone.items() if three.get(name) != value}
    assert not different
    assert set(alone) == set(three)
