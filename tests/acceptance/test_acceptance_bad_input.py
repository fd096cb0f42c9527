"""Bad input to a whole house: each a clear error with nothing half-written. docs/answers.md lists what was answered.

With BARSMITH_WRITE_ANSWERS=1 in the environment the document is written from the answers instead of compared.
"""

import os
import re
from pathlib import Path

import httpx
import pytest

from shared.testing.waiting import eventually

DOCUMENT = Path(__file__).parents[2] / "docs" / "answers.md"
SPAN = {"start": "2022-01-01T00:00:00Z", "end": "2022-05-01T00:00:00Z"}
WINDOW = {"window": SPAN}
NONE = "0" * 64
HEADER = "ts,open,high,low,close,volume\n"
GOOD = "2024-05-01T13:30:00Z,10,11,9,10.5,100\n"
LATER = "2024-05-01T13:31:00Z,10.5,12,10,11,200\n"
SETTING = {"threshold": 0.0001}
TRAIN = {"symbol": "EDGE", "estimator": "elasticnet", "train": SPAN}
SWEEP = {"model": NONE, "symbol": "EDGE", "settings": [SETTING], **WINDOW}

#: what it is, service, path, body, status, words of the answer
REQUESTS = [
    ("a search of a symbol nobody knows", "orchestrator", "/evolve",
     {"symbols": ["NOSUCH"]}, 404, "not built for NOSUCH"),
    ("features of a symbol nobody knows", "features", "/features/build",
     {"symbols": ["NOSUCH"], **WINDOW}, 404, "NOSUCH"),
    ("a model of a symbol nobody knows", "training", "/train", {**TRAIN, "symbol": "NOSUCH"}, 404, "NOSUCH"),
    ("a prediction of a model nobody knows", "training", "/predict",
     {"model": NONE, "symbol": "EDGE", **WINDOW}, 404, "000"),
    ("a batch of a model nobody knows", "optimization", "/batches", {"models": [NONE]}, 404, "000"),
    ("a symbol that is no ticker", "ingestion", "/ingest/..%2Fetc", SPAN, 400, "is not a ticker"),
    ("the same, in a body", "ingestion", "/ingest", {"symbols": ["../etc"], **SPAN}, 422, "is not a ticker"),
    ("an import of a file that is not there", "ingestion", "/import", {"path": "/no/such.csv"}, 400, "no such file"),
    ("a text instead of a number", "orchestrator", "/evolve",
     {"symbols": ["EDGE"], "generations": "many"}, 422, "generations: Input should be a valid integer"),
    ("a list instead of an object", "training", "/train", [1, 2], 422, "Input should be a valid dictionary"),
    ("a field nobody knows", "simulation", "/simulate", {**SWEEP, "lever": 2}, 422, "lever: is not known"),
    ("a field that is missing", "training", "/train", {"symbol": "EDGE"}, 422, "estimator: Field required"),
    ("a negative threshold", "simulation", "/simulate",
     {**SWEEP, "settings": [{"threshold": -1}]}, 422, "greater than or equal to 0"),
    ("a time without a zone", "features", "/features/build",
     {"symbols": ["EDGE"], "window": {"start": "2022-01-01T00:00:00", "end": "2022-02-01T00:00:00"}}, 422, "timezone"),
    ("a span that ends before it starts", "ingestion", "/ingest/EDGE",
     {"start": SPAN["end"], "end": SPAN["start"]}, 422, "must be later than start"),
    ("a year beyond every calendar", "ingestion", "/ingest/EDGE",
     {**SPAN, "end": "9999-12-31T23:59:59-14:00"}, 422, "use the years 1900 to 2199"),
    ("training that reaches into the days to predict", "training", "/train",
     {**TRAIN, "predict": SPAN}, 422, "inside the training window"),
]  # fmt: skip
RAW = [
    ("NaN in the JSON", b'{"symbols": ["EDGE"], "costs": {"half_spread_bps": NaN}}', 422, "half_spread_bps"),
    ("no JSON at all", b"{symbols", 422, "the body is not JSON"),
    ("an empty body", b"", 422, "Field required"),
    ("a body of 17 MiB", b" " * (17 * 2**20), 413, "larger than 16 MiB"),
]
#: what it is, the file, the answer
FILES = [
    ("an empty file", "", "the file is empty"),
    ("a CSV with a header and no rows", HEADER, "has a header and no rows"),
    ("a CSV without a close", "ts,open,high,low\n2024-05-01T13:30:00Z,1,2,1\n", "no column for close"),
    ("a CSV of NaN prices only", HEADER + "2024-05-01T13:30:00Z,NaN,11,9,10,1\n", "not a finite number"),
    ("a CSV of negative prices only", HEADER + "2024-05-01T13:30:00Z,-10,11,-12,10,1\n", "zero or negative"),
]


@pytest.fixture(scope="module")
def answers():
    """Every answer as a row of the document, in order."""
    return []


@pytest.fixture(scope="module")
def ready(house):
    house.told("ingest", "bars", "EDGE", "--start", "2022-01-01", "--end", "2022-05-01")
    house.told("features", "build", "EDGE", "--start", "2022-01-01", "--end", "2022-05-01")
    return house


def everything(house):
    """How much there is of everything a request could have written."""
    lists = {"training": "/models", "simulation": "/sweeps", "orchestrator": "/runs", "optimization": "/batches"}
    counts = {name: house.get(name, path)["total"] for name, path in lists.items()}
    jobs = house.get("ingestion", "/jobs")["total"]
    return counts | {"jobs": jobs, "bars": house.get("ingestion", "/symbols")}


def asked(house, service, path, **body):
    answer = httpx.post(f"{house.urls[service]}{path}", timeout=60, **body)
    envelope = answer.json()
    assert set(envelope) == {"error", "detail", "request_id"}, answer.text
    assert envelope["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return answer.status_code, envelope["detail"]


def test_requests_that_make_no_sense_are_refused_and_leave_nothing(ready, answers):
    before = everything(ready)
    for what, service, path, body, status, says in REQUESTS:
        got, detail = asked(ready, service, path, json=body)
        assert (got, says in detail) == (status, True), f"{what}: {got} {detail}"
        answers.append((what, f"POST {path} ({service})", str(got), detail))
    for what, body, status, says in RAW:
        got, detail = asked(
            ready, "orchestrator", "/evolve", content=body, headers={"Content-Type": "application/json"}
        )
        assert (got, says in detail) == (status, True), f"{what}: {got} {detail}"
        answers.append((what, "POST /evolve (orchestrator)", str(got), detail))
    assert everything(ready) == before


def imported(house, path):
    job = httpx.post(f"{house.urls['ingestion']}/import", json={"path": str(path)}, timeout=30).json()["job_id"]

    def ended():
        found = house.get("ingestion", f"/jobs/{job}")
        return found if found["state"] not in ("PENDING", "RUNNING") else None

    return eventually(ended, timeout=60, what=f"job {job}")


def test_files_that_cannot_be_used_fail_by_name_and_leave_nothing(ready, answers, tmp_path):
    before = ready.get("ingestion", "/symbols")
    for number, (what, content, says) in enumerate(FILES):
        file = tmp_path / f"BAD{number}.csv"
        file.write_text(content)
        job = imported(ready, file)
        assert (job["state"], job["attempt"], says in job["error"]) == ("FAILED", 1, True), job
        answers.append((what, "POST /import (ingestion)", "job FAILED", job["error"].replace(f"{tmp_path}/", "")))
    assert ready.get("ingestion", "/symbols") == before


def test_rows_that_cannot_be_used_are_counted_and_left_out(ready, answers, tmp_path):
    file = tmp_path / "MIXED.csv"
    file.write_text(
        HEADER + LATER + GOOD + GOOD + "2024-05-01T13:32:00Z,NaN,11,9,10,1\n2024-05-01T13:33:00Z,-1,2,-2,1,1\n"
    )
    job = imported(ready, file)
    result = job["result"]
    assert (result["rows"], result["stored"], sum(result["rejected"].values())) == (5, 2, 3)
    bars = ready.get("ingestion", "/bars/MIXED")["bars"]
    assert [bar["ts"] for bar in bars] == ["2024-05-01T13:30:00Z", "2024-05-01T13:31:00Z"]
    reasons = "; ".join(f"{count} x {reason}" for reason, count in sorted(result["rejected"].items()))
    said = f"{result['stored']} of {result['rows']} rows stored, in order. Left out: {reasons}"
    what = "a CSV with unsorted rows, one minute twice, a NaN and a negative price"
    answers.append((what, "POST /import (ingestion)", "job COMPLETED", said))
    table = ready.barsmith("ingest", "files", str(file)).stdout
    counted = "rows  stored  new_rows  replaced\n5     2       0         0"
    assert all(line in table for line in [counted, *result["rejected"]]), table


def test_a_key_stands_for_one_search(ready, answers):
    body = {"symbols": ["EDGE"], "generations": 1, "survivors": 1, "horizons": [60], "key": "once", "seed": 11}
    url = f"{ready.urls['orchestrator']}/evolve"
    first = httpx.post(url, json=body, timeout=60)
    before = ready.get("orchestrator", "/runs")["total"]
    again = httpx.post(url, json=body, timeout=60)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["runs"][0]["id"] == first.json()["runs"][0]["id"]
    answers.append(("the same search with the same key again", "POST /evolve (orchestrator)", "200", "The same run."))
    status, detail = asked(ready, "orchestrator", "/evolve", json={**body, "seed": 12})
    assert (status, "once" in detail) == (409, True)
    answers.append(("another search with a used key", "POST /evolve (orchestrator)", str(status), detail))
    assert ready.get("orchestrator", "/runs")["total"] == before
    httpx.post(f"{ready.urls['orchestrator']}/runs/{first.json()['runs'][0]['id']}/cancel", timeout=60)


def service_process(house, package):
    return next(pid for pid, command in house.processes().items() if f"{package}.app" in command)


DOWN = [
    ("a search while the feature service is down", "feature_service", "features", "orchestrator", "/evolve",
     {"symbols": ["EDGE"], "generations": 1, "seed": 13}),
    ("a batch while the training service is down", "training_service", "training", "optimization", "/batches",
     {"models": [NONE]}),
]  # fmt: skip


@pytest.mark.parametrize("case", DOWN, ids=lambda case: case[2])
def test_a_dead_neighbour_is_named_and_leaves_nothing(ready, answers, kill, case):
    what, package, victim, service, path, body = case
    before = everything(ready)
    kill(service_process(ready, package))
    status, detail = asked(ready, service, path, json=body)
    assert (status, f"the {victim} service at {ready.urls[victim]} does not answer" in detail) == (503, True), detail
    answers.append((what, f"POST {path} ({service})", str(status), detail))
    eventually(lambda: ready.get(victim, "/readyz"), timeout=60, what=f"{victim} is back")
    assert everything(ready) == before


def document(rows):
    lines = [
        "# What bad input is answered",
        "",
        "Given by a running house in `tests/acceptance/test_acceptance_bad_input.py`, which also sees that nothing was",
        'written. Every refusal over HTTP is `{"error", "detail", "request_id"}`; the last column is its `detail`,',
        "or the `error` of the job.",
        "",
        "| what | sent to | answer | words |",
        "| --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = (re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:PORT", cell) for cell in row)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_document_says_what_was_answered(answers):
    expected = len(REQUESTS) + len(RAW) + len(FILES) + 1 + 2 + len(DOWN)
    if len(answers) < expected:
        pytest.skip("only complete runs of this file are compared")
    if os.environ.get("BARSMITH_WRITE_ANSWERS"):
        DOCUMENT.write_text(document(answers), encoding="utf-8")
    assert document(answers) == DOCUMENT.read_text(encoding="utf-8")
