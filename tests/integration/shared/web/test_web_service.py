"""The frame around every service: errors, request ids, logs, hosts, writes from other sites, forms sent twice."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from shared.logs import configure_logging
from shared.testing.waiting import eventually

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("test", "INFO", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


EXPECTED = [
    ("/raise/missing", 404, "not_found"),
    ("/raise/clash", 409, "conflict"),
    ("/raise/wrong", 400, "invalid_input"),
    ("/raise/away", 503, "unavailable"),
    ("/raise/bug", 500, "internal"),
    ("/nowhere", 404, "not_found"),
    ("/jobs/77", 404, "not_found"),
    ("/jobs?page=0", 422, "invalid_payload"),
    ("/events?topics=weather", 400, "invalid_input"),
]


@pytest.mark.parametrize(("path", "status", "name"), EXPECTED)
def test_every_error_has_the_envelope_or_a_page(http, path, status, name):
    answer = http.get(path)
    envelope = answer.json()
    assert (answer.status_code, envelope["error"]) == (status, name)
    assert set(envelope) == {"error", "detail", "request_id"}
    assert envelope["request_id"] == answer.headers["x-request-id"]
    page = http.get(path, headers=HTML)
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert name in page.text


def test_a_bug_tells_the_client_nothing_and_the_log_everything_but_secrets(http, log_lines):
    answer = http.get("/raise/bug")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    [line] = [json.loads(line) for line in log_lines.getvalue().splitlines() if "request_failed" in line]
    assert "RuntimeError" in line["traceback"]
    assert "hunter2" not in line["traceback"]
    assert line["request_id"] == answer.json()["request_id"]


def test_malformed_payload_names_place_problem_and_value(http):
    answer = http.post("/things", json={"size": "big"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("size: Input should be a valid integer")
    assert "'big'" in answer.json()["detail"]
    assert http.post("/things", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422


def test_sane_request_id_is_kept_and_others_are_replaced(http):
    kept = http.get("/healthz", headers={"X-Request-ID": "trace-1234.abc"})
    assert kept.headers["x-request-id"] == "trace-1234.abc"
    for odd in ("x", "a" * 65, "spaces in it", 'quote"quote'):
        assert http.get("/healthz", headers={"X-Request-ID": odd}).headers["x-request-id"] != odd


def test_access_log_is_one_json_line_with_action_and_route(http, log_lines):
    http.get("/raise/missing", headers={"X-Request-ID": "find-me-again"})

    def requests():
        lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
        return [line for line in lines if line.get("action") == "request"]

    # it is written once the answer has left
    [line] = eventually(requests, what="the request's line")
    assert line["message"] == "request answered"
    assert (line["route"], line["path"], line["status"]) == ("/raise/{name}", "/raise/missing", 404)
    assert line["request_id"] == "find-me-again"
    assert line["seconds"] > 0


def test_unknown_host_is_refused_in_words(http):
    answer = http.get("/healthz", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_host")
    assert "BARSMITH_ALLOWED_HOSTS" in answer.json()["detail"]
    assert http.get("/healthz", headers={"Host": "localhost:1234"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "SELF"}, 200),
        ({"Origin": "SELF"}, 200),
    ],
)
def test_writes_from_another_site_are_refused(http, headers, status):
    own = str(http.base_url).rstrip("/")
    sent = {name: value.replace("SELF", own) for name, value in headers.items()}
    assert http.post("/things", json={"size": 1}, headers=sent).status_code == status
    assert http.get("/both", headers=sent).status_code == 200


def test_security_headers_stand_on_every_answer(http):
    for path in ("/healthz", "/nowhere", "/raise/bug", "/jobs"):
        headers = http.get(path).headers
        assert "script-src 'self';" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_json_and_page_share_an_address(http):
    assert http.get("/jobs").json()["total"] == 0
    page = http.get("/jobs", headers=HTML)
    assert "No jobs yet" in page.text
    assert page.headers["vary"].startswith("Accept")
    assert http.get("/jobs", headers={"Accept": "application/json, text/html;q=0.5"}).json()["total"] == 0


def test_form_sent_twice_with_one_key_is_answered_once(http):
    first = http.post("/things", data={"idempotency_key": "k1"})
    again = http.post("/things", data={"idempotency_key": "k1"})
    other = http.post("/things", data={"idempotency_key": "k2"})
    assert [answer.status_code for answer in (first, again, other)] == [303, 303, 303]
    first_number, again_number, other_number = (
        int(answer.headers["location"].rsplit("/", 1)[1]) for answer in (first, again, other)
    )
    assert first_number == again_number == other_number - 1
