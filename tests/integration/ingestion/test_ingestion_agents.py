"""Agents, the watchlist, retention and monitoring, asked over HTTP; their runs are real jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from ingestion_service.store.agents import AgentStore
from shared.clock import SystemClock
from shared.jobs.context import JobContext
from shared.jobs.model import LeaseLost, Outcome, Submission
from shared.storage.postgres import Database
from simulated_exchange.market import Market

#: the services go by the machine's clock, and bars are wanted from so many days ago
TODAY = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0)


def ago(days: int) -> str:
    return f"{TODAY - timedelta(days=days):%Y-%m-%d}"


def test_a_watched_symbol_is_backfilled_and_stays_when_it_is_not_watched(open_shop):
    shop = open_shop()
    accepted = shop.http.post("/watchlist", json={"symbols": ["edge", "EDGE"], "since": ago(40)}).json()["jobs"]
    assert [job["symbol"] for job in accepted] == ["EDGE"]
    [row] = shop.http.get("/watchlist").json()
    assert (row["symbol"], row["rows"], row["live"]) == ("EDGE", 0, True)
    shop.work("ingestion.ingest")
    rows = shop.http.get("/watchlist").json()[0]["rows"]
    expected = Market().bars("EDGE", TODAY - timedelta(days=40), SystemClock().now()).height
    assert 0 <= expected - rows <= 2  # the minute that is under way
    assert shop.http.delete("/watchlist/EDGE").status_code == 204
    assert shop.http.get("/watchlist").json() == []
    assert shop.http.get("/symbols/EDGE").json()["rows"] == rows
    assert shop.http.delete("/watchlist/EDGE").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"since": "2024-01-01"}, 422, "either symbols or a universe"),
        ({"symbols": ["EDGE"], "universe": "tech"}, 422, "either symbols or a universe"),
        ({"universe": "tech"}, 404, "no universe 'tech'"),
        ({"symbols": ["../x"]}, 422, "not a ticker"),
        ({"symbols": ["EDGE"], "since": "2199-01-01"}, 400, "has not come yet"),
    ],
)
def test_a_watchlist_says_what_it_cannot_do(open_shop, body, status, said):
    answer = open_shop("http://127.0.0.1:9").http.post("/watchlist", json=body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


def test_a_universe_is_a_named_list(open_shop):
    shop = open_shop("http://127.0.0.1:9")
    assert shop.http.put("/universes/tech", json={"symbols": ["qmkt", "EDGE", "EDGE"]}).json()["symbols"] == [
        "QMKT",
        "EDGE",
    ]
    jobs = shop.http.post("/watchlist", json={"universe": "tech"}).json()["jobs"]
    assert [job["symbol"] for job in jobs] == ["QMKT", "EDGE"]
    assert shop.http.delete("/universes/tech").status_code == 204
    assert shop.http.get("/universes/tech").status_code == 404
    assert len(shop.http.get("/watchlist").json()) == 2


def test_the_backfill_fetches_only_what_is_missing_and_waits_for_its_next_run(open_shop):
    shop = open_shop()
    shop.http.post("/watchlist", json={"symbols": ["EDGE"], "since": ago(70)})
    assert shop.do("backfill", "start", options={"every_minutes": 60})["state"] == "workerless"
    shop.work("ingestion.backfill_agent")
    state = shop.agent("backfill")
    assert state["state"] == "waiting"
    assert state["last_result"]["chunks"] >= 3
    assert state["last_result"]["new_rows"] == shop.http.get("/symbols/EDGE").json()["rows"]
    wait = datetime.fromisoformat(state["next_run"]) - SystemClock().now()
    assert timedelta(minutes=58) < wait < timedelta(minutes=61)
    shop.do("backfill", "start")  # at once, instead of in an hour
    shop.work("ingestion.backfill_agent")
    state = shop.agent("backfill")
    assert state["runs"] == 2
    assert state["last_result"]["chunks"] <= 2  # the newest minutes, which are not settled
    assert state["last_result"]["new_rows"] <= 1


@pytest.mark.parametrize("name", ["backfill", "scan", "fill", "retention"])
def test_an_agent_pauses_as_long_as_its_options_show(open_shop, name: str):
    shop = open_shop("http://127.0.0.1:9")
    shop.do(name, "start")
    shop.work()
    state = shop.agent(name)
    pause = datetime.fromisoformat(state["next_run"]) - datetime.fromisoformat(state["last_ended_at"])
    assert abs(pause - timedelta(minutes=state["options"]["every_minutes"])) < timedelta(minutes=1)


def test_an_agent_has_one_run_and_people_decide_about_it(open_shop):
    shop = open_shop("http://127.0.0.1:9")
    first = shop.do("scan", "start")
    assert shop.do("scan", "start")["job_id"] != first["job_id"]  # the one that waited was called off
    assert shop.http.get("/jobs", params={"kind": "ingestion.scan_agent", "state": "PENDING"}).json()["total"] == 1
    assert shop.do("scan", "pause")["state"] == "paused"
    assert shop.agent("scan")["job_id"] is None
    assert shop.work() == []
    shop.do("scan", "start")
    shop.work()
    assert shop.agent("scan")["runs"] == 1
    assert shop.do("scan", "stop")["state"] == "stopped"
    assert shop.work() == []


def test_work_that_is_called_off_is_nobodys_error(open_shop):
    shop = open_shop()
    shop.http.post("/watchlist", json={"symbols": ["EDGE"], "since": ago(10)})
    shop.do("backfill", "start")
    token = uuid4()
    for job in shop.queue.claim(["ingestion.backfill_agent", "ingestion.ingest"], 2, token, "test").jobs:

        def called_off_before_it_stores(_: float, note: str, job_id: int = job.id) -> None:
            if "begins" not in note:
                shop.http.post(f"/jobs/{job_id}/cancel")

        ctx = JobContext(
            job_id=job.id,
            kind=job.kind,
            payload=job.payload,
            priority=job.priority,
            attempt=job.attempt,
            token=token,
            report=called_off_before_it_stores,
        )
        with pytest.raises(LeaseLost):
            shop.works[job.kind](ctx)
    state = shop.agent("backfill")
    assert (state["state"], state["alert"]) == ("broken", None)
    assert shop.http.get("/monitoring").json()["errors"] == []


def test_a_run_that_has_just_begun_is_not_stale_because_the_last_one_ended_long_ago(open_shop, database: Database):
    shop = open_shop("http://127.0.0.1:9")
    shop.do("scan", "start")
    shop.work()
    shop.do("scan", "start")
    with database.transaction() as conn:
        conn.execute("update ingestion.agent set heartbeat_at = clock_timestamp() - interval '1 day'")
    shop.queue.claim(["ingestion.scan_agent"], 1, uuid4(), "test")
    assert shop.agent("scan")["state"] == "running"


def test_a_run_that_was_submitted_as_its_agent_was_stopped_does_nothing(open_shop):
    shop = open_shop("http://127.0.0.1:9")
    shop.do("scan", "start")
    shop.do("scan", "stop")
    [job_id] = shop.queue.submit([Submission(kind="ingestion.scan_agent", payload={"agent": "scan"})])
    shop.work()
    assert shop.queue.job(job_id).result == {"skipped": "the agent is stopped"}
    assert shop.agent("scan")["job_id"] is None


def test_a_run_that_has_not_heard_that_it_was_stopped_leaves_no_alert_behind(open_shop, database: Database):
    shop, store = open_shop("http://127.0.0.1:9"), AgentStore(database)
    shop.do("scan", "start")
    store.alert("scan", "something is wrong")
    assert shop.agent("scan")["alert"] == "something is wrong"
    shop.do("scan", "stop")
    store.alert("scan", "something is wrong")
    assert shop.agent("scan")["alert"] is None


@pytest.mark.parametrize("halted_at", ["begins", "symbols"])
def test_an_agent_started_while_its_halted_run_ends_goes_on(open_shop, halted_at: str):
    shop = open_shop()
    shop.http.post("/ingest/EDGE", json={"start": ago(10), "end": ago(5)})
    shop.work("ingestion.ingest")
    shop.do("scan", "start")
    token = uuid4()
    [job] = shop.queue.claim(["ingestion.scan_agent"], 1, token, "test").jobs

    def paused(_: float, note: str) -> None:
        if halted_at in note:
            shop.do("scan", "pause")

    ctx = JobContext(
        job_id=job.id,
        kind=job.kind,
        payload=job.payload,
        priority=job.priority,
        attempt=job.attempt,
        token=token,
        report=paused,
    )
    outcome = shop.works["ingestion.scan_agent"](ctx)
    assert outcome.submit == ()
    assert shop.do("scan", "start")["job_id"] == job.id  # it has not ended yet
    shop.queue.complete(job.id, token, outcome)
    state = shop.agent("scan")
    assert (state["state"], state["job_id"] != job.id) == ("starting", True)
    following = shop.queue.job(state["job_id"])
    assert (following.kind, following.payload, following.max_attempts) == (job.kind, job.payload, job.max_attempts)
    shop.work()
    assert (shop.agent("scan")["state"], shop.agent("scan")["runs"]) == ("waiting", 2)


def test_a_halted_run_is_followed_by_none(open_shop):
    shop = open_shop("http://127.0.0.1:9")
    shop.do("scan", "start")
    token = uuid4()
    [job] = shop.queue.claim(["ingestion.scan_agent"], 1, token, "test").jobs
    shop.do("scan", "pause")
    shop.queue.complete(job.id, token, Outcome(result={"ended_early": "paused"}))
    assert (shop.agent("scan")["state"], shop.agent("scan")["job_id"]) == ("paused", None)


def test_a_run_that_cannot_be_done_is_told_and_the_next_one_comes(open_shop):
    shop = open_shop()
    shop.http.post("/watchlist", json={"symbols": ["NOPE"], "since": ago(10)})
    shop.do("backfill", "start")
    shop.work("ingestion.backfill_agent")
    state = shop.agent("backfill")
    assert "has no bars of NOPE" in state["last_result"]["failed"]["NOPE"]
    assert state["state"] == "waiting"
    [error] = shop.http.get("/monitoring").json()["errors"]
    assert (error["agent"], error["kind"], error["last_hour"]) == ("backfill", "NotFound", 1)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/agents/live/start", {"options": {"alert_minutes": 0}}, "alert_minutes"),
        ("/agents/live/start", {"options": {"speed": 3}}, "speed"),
    ],
)
def test_options_are_checked(open_shop, path, body, said):
    answer = open_shop("http://127.0.0.1:9").http.post(path, json=body)
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["detail"]


def test_there_is_no_other_agent(open_shop):
    answer = open_shop("http://127.0.0.1:9").http.post("/agents/cleaner/start")
    assert answer.status_code == 404
    assert "backfill, live, scan, fill, retention" in answer.json()["detail"]


def test_ended_jobs_are_forgotten_but_not_those_of_a_group_that_goes_on(open_shop, database: Database):
    shop = open_shop("http://127.0.0.1:9")
    shop.do("scan", "start")
    shop.work()
    with database.transaction() as conn:
        conn.execute("update jobs.job set finished_at = now() - interval '10 days' where state = 'COMPLETED'")
    before = SystemClock().now() - timedelta(days=5)
    assert shop.queue.forgettable(before) == 1
    assert shop.queue.forget(before) == 1
    assert shop.queue.forgettable(before) == 0
    assert shop.agent("scan")["state"] == "waiting"


def test_prometheus_is_told(open_shop):
    shop = open_shop("http://127.0.0.1:9")
    text = shop.http.get("/metrics").text
    assert 'barsmith_agent_state{agent="live",state="stopped"} 1.0' in text
    assert 'barsmith_agent_alert{agent="live"} 0.0' in text


def test_what_a_job_failed_with_is_counted_by_class(open_shop):
    shop = open_shop()
    shop.http.post("/ingest/NOPE", json={"start": ago(20), "end": ago(10)})
    shop.work("ingestion.ingest")
    [error] = shop.http.get("/monitoring").json()["errors"]
    assert (error["agent"], error["kind"], error["last_week"]) == ("ingest", "NotFound", 1)
    assert 'barsmith_ingestion_errors_last_hour{agent="ingest",kind="NotFound"} 1.0' in shop.http.get("/metrics").text


def test_the_live_feed_counts_no_errors_but_its_own(open_shop, tmp_path, database):
    shop = open_shop()
    (tmp_path / "BAD.csv").write_text("ts,open\n2024-05-01,1\n")
    shop.http.post("/import", json={"path": str(tmp_path / "BAD.csv")})
    shop.work("ingestion.import")
    seen = shop.http.get("/monitoring").json()
    assert [(one["agent"], one["last_hour"]) for one in seen["errors"]] == [("import", 1)]
    assert sum(hour["errors"] for hour in seen["feed"]["hours"]) == 0
    AgentStore(database).note_trouble("live", "Unavailable", "stream: closed")
    assert sum(hour["errors"] for hour in shop.http.get("/monitoring").json()["feed"]["hours"]) == 1
