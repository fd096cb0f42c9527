"""Health, metrics, and the files that browsers load."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager

import pytest

from shared.jobs.model import Submission
from shared.jobs.queue import Queue
from shared.storage.postgres import Database
from shared.testing.servers import serving
from shared.web import assets
from shared.web.service import create_service


def test_health_readiness_and_metrics(http, queue):
    health = http.get("/healthz").json()
    assert health["assets"]["lightweight-charts.js"] == assets.LIGHTWEIGHT_CHARTS.sha256
    ready = {"status": "ready", "pid": os.getpid(), "checks": {"database": "ok", "lake": "ok"}}
    assert http.get("/readyz").json() == ready
    http.get("/raise/missing")
    queue.submit([Submission(kind="training.train", payload={})])
    text = http.get("/metrics").text
    assert 'barsmith_http_requests_total{method="GET",route="/raise/{name}",status="404"} 1.0' in text
    assert 'barsmith_http_request_seconds_bucket{le="+Inf",method="GET",route="/readyz"} 1.0' in text
    assert 'barsmith_queue_jobs{kind="training.train",state="PENDING"} 1.0' in text


def test_readiness_says_what_does_not_answer(build):
    gone = Database("postgresql://nobody:hunter2@127.0.0.1:9/none", application_name="test")
    with serving(build(database=gone, queue=Queue(gone))) as http:
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
