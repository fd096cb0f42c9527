"""The frame around every service, over a real server with a real database."""

from __future__ import annotations

import gzip
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from shared.clock import SystemClock
from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.jobs.resources import Resources
from shared.logs import configure_logging
from shared.settings import ServiceSettings
from shared.storage.postgres import Database
from shared.testing.servers import serving
from shared.web import assets
from shared.web.job_transport import job_transport_router
from shared.web.pages import page_router, redirect_after_post
from shared.web.service import create_service

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ERRORS = {"missing": NotFound, "clash": Conflict, "wrong": InvalidInput, "away": Unavailable, "bug": RuntimeError}


class Body(BaseModel):
    size: int


router, pages = APIRouter(), page_router()
posted: list[str] = []


@router.get("/raise/{name}")
def raise_error(name: str) -> None:
    raise ERRORS[name](f"{name}: password=hunter2")


@router.get("/both")
def both() -> dict[str, str]:
    return {"as": "json"}


@router.post("/things")
def make_thing(body: Body) -> Body:
    return body


@pages.post("/things")
def make_thing_from_form() -> object:
    posted.append("form")
    return redirect_after_post(f"/things/{len(posted)}")


@router.get("/large")
def large() -> dict[str, str]:
    return {"text": "bar" * 1_000}


@dataclass(frozen=True)
class Wired:
    resources: Resources


@pytest.fixture
def settings(database_url, data_dir) -> ServiceSettings:
    return ServiceSettings(
        name="orchestrator", database_url=database_url, home=data_dir, worker_token="worker-secret", log_level="DEBUG"
    )


@pytest.fixture
def queue(database) -> Queue:
    queue = Queue(database)
    queue.migrate()
    return queue


@pytest.fixture
def app(settings, database, lake, queue):

    @contextmanager
    def assemble() -> Iterator[Wired]:
        yield Wired(Resources(settings, database, lake, queue, SystemClock()))

    return create_service(
        settings,
        title="Test",
        assemble=assemble,
        routers=[job_transport_router(settings), pages, router],
        package="shared.web",
    )


@pytest.fixture
def http(app) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client


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
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    [line] = [line for line in lines if line.get("action") == "request"]
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
    posted.clear()
    first = http.post("/things", data={"idempotency_key": "k1"})
    again = http.post("/things", data={"idempotency_key": "k1"})
    other = http.post("/things", data={"idempotency_key": "k2"})
    assert [answer.status_code for answer in (first, again, other)] == [303, 303, 303]
    assert first.headers["location"] == again.headers["location"] != other.headers["location"]
    assert len(posted) == 2


def test_health_readiness_and_metrics(http, queue):
    health = http.get("/healthz").json()
    assert health["assets"]["lightweight-charts.js"] == assets.LIGHTWEIGHT_CHARTS.sha256
    assert http.get("/readyz").json() == {"status": "ready", "checks": {"database": "ok", "lake": "ok"}}
    http.get("/raise/missing")
    queue.submit([Submission(kind="training.train", payload={})])
    text = http.get("/metrics").text
    assert 'barsmith_http_requests_total{method="GET",route="/raise/{name}",status="404"} 1.0' in text
    assert 'barsmith_http_request_seconds_bucket{le="+Inf",method="GET",route="/readyz"} 1.0' in text
    assert 'barsmith_queue_jobs{kind="training.train",state="PENDING"} 1.0' in text


def test_readiness_says_what_does_not_answer(settings, lake):
    gone = Database("postgresql://nobody:hunter2@127.0.0.1:9/none", application_name="test")

    @contextmanager
    def assemble() -> Iterator[Wired]:
        yield Wired(Resources(settings, gone, lake, Queue(gone), SystemClock()))

    app = create_service(settings, title="Test", assemble=assemble, routers=[], package="shared.web")
    with serving(app) as http:
        answer = http.get("/readyz")
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert "127.0.0.1:9" in answer.json()["detail"]
        assert "hunter2" not in answer.text
        assert answer.headers["retry-after"]
        assert http.get("/healthz").status_code == 200


def test_readiness_fails_without_a_lake(http, data_dir, settings):
    data_dir.rename(data_dir.with_name("moved"))
    answer = http.get("/readyz")
    assert answer.status_code == 503
    assert settings.lake_root in answer.json()["detail"]
    data_dir.with_name("moved").rename(data_dir)


def test_vendored_library_is_served_compressed_and_for_ever(http, app):
    url = app.state.site.assets.vendor_url
    plain = http.get(url, headers={"Accept-Encoding": "identity"})
    packed = http.get(url, headers={"Accept-Encoding": "gzip"})
    assert plain.content == packed.content
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < 64_000
    assert packed.headers["vary"] == "Accept-Encoding"
    assert http.get(url.replace("/vendor/c", "/vendor/d")).status_code == 404
    assert http.get("/static/000000000000/page.css").status_code == 404
    assert gzip.decompress(app.state.site.assets.vendor.compressed) == plain.content


def test_pinned_hash_is_that_of_the_published_library():
    pinned = assets.LIGHTWEIGHT_CHARTS.sha256
    assert (pinned[:8], pinned[-7:], len(pinned)) == ("c0992580", "cdf31d7", 64)
    assert assets.load_vendor(assets.LIGHTWEIGHT_CHARTS).sha256 == pinned


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sha256": "0" * 64}, "instead of 000000000000…; run: pip install"),
        ({"path": "lwcharts/vendor/none.js"}, "is not installed; run: pip install"),
        ({"distribution": "no-such-wheel"}, "is not installed; run: pip install"),
    ],
)
def test_missing_or_changed_library_stops_the_start(monkeypatch, settings, change, words):
    wanted = assets.VendorFile(**{**vars(assets.LIGHTWEIGHT_CHARTS), **change})
    monkeypatch.setattr(assets, "LIGHTWEIGHT_CHARTS", wanted)
    with pytest.raises(assets.AssetProblem, match=words.split("…")[0]):
        create_service(settings, title="T", assemble=contextmanager(lambda: iter(())), routers=[], package="shared.web")


def test_large_answers_are_compressed_and_streams_are_not(http):
    assert http.get("/large", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    with http.stream("GET", "/events", headers={"Accept-Encoding": "gzip"}) as stream:
        assert "content-encoding" not in stream.headers


def test_jobs_are_listed_shown_and_cancelled_in_both_forms(http, queue):
    ids = queue.submit([Submission(kind=kind, payload={"n": 1}) for kind in ("training.train", "features.build")])
    assert [job["id"] for job in http.get("/jobs?kind=training.train").json()["items"]] == [ids[0]]
    assert http.get("/jobs?state=RUNNING").json()["total"] == 0
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


def test_job_transport_is_off_without_a_token(settings, database, lake):
    bare = settings.model_copy(update={"worker_token": type(settings.worker_token)("")})

    @contextmanager
    def assemble() -> Iterator[Wired]:
        yield Wired(Resources(bare, database, lake, Queue(database), SystemClock()))

    app = create_service(bare, title="T", assemble=assemble, routers=[job_transport_router(bare)], package="shared.web")
    with serving(app) as http:
        answer = http.post("/jobs/claim", json={}, headers={"Authorization": "Bearer x"})
        assert answer.status_code == 401
        assert "BARSMITH_WORKER_TOKEN" in answer.json()["detail"]
