"""Requests too large, too long, or with values no database holds: refused in words, at once, and without a trace."""

from __future__ import annotations

import time

import pytest

from shared.web.errors import LONGEST_DETAIL
from shared.web.middleware import MAX_BODY

HTML = {"Accept": "text/html"}
JSON = {"Content-Type": "application/json"}
TOKEN = {"Authorization": "Bearer worker-secret"}
BEYOND = 2**63

UNSTORABLE = [
    ("GET", "/jobs?kind=%00", 400),
    ("GET", f"/jobs?page={BEYOND}", 422),
    ("GET", "/jobs?page=1000000000", 200),
    ("GET", f"/jobs/{BEYOND}", 404),
    ("POST", f"/jobs/{BEYOND}/cancel", 400),
    ("POST", f"/jobs/{10**30}/cancel", 400),
]


@pytest.mark.parametrize(("method", "path", "status"), UNSTORABLE)
def test_values_beyond_the_database_are_the_clients_fault(http, method, path, status):
    answer = http.request(method, path)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert set(answer.json()) == {"error", "detail", "request_id"}
    assert http.request(method, path, headers=HTML).status_code == status


def test_text_that_is_no_unicode_is_refused(http):
    body = b'{"kinds": ["\\ud800"], "token": "12345678-1234-4234-8234-123456789012", "worker": "w"}'
    answer = http.post("/jobs/claim", content=body, headers=JSON | TOKEN)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_input")


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_beyond_the_limit_is_refused(http, kind):
    answer = http.post("/things", content=b" " * (MAX_BODY + 1), headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert "16 MiB" in answer.json()["detail"]


def test_a_body_of_unknown_length_is_counted(http):
    pieces = (b" " * 2**20 for _ in range(MAX_BODY // 2**20 + 1))
    answer = http.post("/things", content=pieces, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    whole = (piece for piece in (b" " * 2**20, b'{"size": 3}'))
    assert http.post("/things", content=whole, headers=JSON).json() == {"size": 3}


def test_what_is_quoted_back_stays_short(http):
    for path in ("/" + "x" * 20_000, f"/events?topics={'x' * 20_000}"):
        detail = http.get(path).json()["detail"]
        assert len(detail) == LONGEST_DETAIL + 1
        assert detail.endswith("…")


def test_a_long_address_does_not_hold_the_service_up(http):
    before = time.monotonic()
    assert http.get("/" + "a" * 50_000).status_code == 404
    assert http.get("/healthz").status_code == 200
    assert time.monotonic() - before < 5


def test_what_is_no_json_is_pointed_at(http):
    answer = http.post("/things", content=b'{"size": 1,}', headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("the body is not JSON: ")
    assert answer.json()["detail"].endswith("at character 11")


def test_a_bug_in_sql_stays_a_bug(build, queue, database):
    from shared.testing.servers import serving

    class Broken(type(queue)):
        def job(self, job_id):
            with database.transaction() as conn:
                conn.execute("select 1 / 0")
            return super().job(job_id)

    with serving(build(queue=Broken(database))) as http:
        assert http.get("/jobs/1").status_code == 500
