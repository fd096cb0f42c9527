"""Job views of every service, and who may use the job transport."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from shared.jobs.model import Submission
from shared.testing.servers import serving

HTML = {"Accept": "text/html"}


def test_jobs_are_listed_shown_and_cancelled_in_both_forms(http, queue):
    ids = queue.submit([Submission(kind=kind, payload={"n": 1}) for kind in ("training.train", "features.build")])
    assert [job["id"] for job in http.get("/jobs?kind=training.train").json()["items"]] == [ids[0]]
    assert http.get("/jobs?state=RUNNING").json()["total"] == 0
    strange = http.get("/jobs?limit=5")
    assert (strange.status_code, strange.json()["detail"]) == (
        422,
        "limit: is not known here: there are format, kind, page, per_page, state (got '5')",
    )
    assert http.get(f"/jobs/{ids[0]}").json()["attempts"] == []
    assert "No job matches" in http.get("/jobs?state=failed", headers=HTML).text
    cancelled = http.post(f"/jobs/{ids[0]}/cancel", data={"idempotency_key": "c"})
    assert (cancelled.status_code, cancelled.headers["location"]) == (303, f"/jobs/{ids[0]}")
    assert "cancelled" in http.get(f"/jobs/{ids[0]}", headers=HTML).text
    assert http.post(f"/jobs/{ids[1]}/cancel").json()["state"] == "CANCELLED"


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic worker-secret", "worker-secret", "Bearer ümlaut"])
def test_job_transport_refuses_other_tokens(http, header):
    headers = {} if header is None else {"Authorization": header.encode()}
    body = {"kinds": ["training.train"], "token": "6f0c1c5e-0000-4000-8000-000000000000", "worker": "w"}
    for path in ("/jobs/claim", "/jobs/1/heartbeat", "/jobs/1/complete", "/jobs/1/fail"):
        answer = http.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_job_transport_is_off_without_a_token(build, settings):
    bare = settings.model_copy(update={"worker_token": SecretStr("")})
    with serving(build(settings=bare)) as http:
        answer = http.post("/jobs/claim", json={}, headers={"Authorization": "Bearer x"})
        assert answer.status_code == 401
        assert "BARSMITH_WORKER_TOKEN" in answer.json()["detail"]
